//! `kymo-bench`: what `cargo xtask bench` runs. Everything is in the library, where Kymo's own tests reach it too.

fn main() -> kymo_bench::Outcome {
    kymo_bench::run(std::env::args_os())
}
