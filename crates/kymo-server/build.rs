//! Embeds the web page: every file of `web/dist`, compressed where that helps.
//!
//! Without that folder (no Node, or the page was not built yet) the list is empty and the server shows a plain page
//! that says how to get the full one.
use std::{
    env,
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let dist = manifest.join("../../web/dist");
    // A folder that is not there would count as changed at every build. It is ignored by git.
    let _ = fs::create_dir_all(&dist);
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &dist, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for (index, path) in files.iter().enumerate() {
        let entry = embed(&dist.join(path), path, &out.join(format!("page-{index}")))?;
        writeln!(list, "    {entry},").expect("memory takes every byte");
    }
    list.push(']');
    fs::write(out.join("page.rs"), list)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            let inside = path.strip_prefix(root).expect("it was found below the root");
            files.push(inside.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

fn embed(source: &Path, path: &str, stored: &Path) -> io::Result<String> {
    let bytes = fs::read(source)?;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&bytes)?;
    let small = encoder.finish()?;
    let is_gzip = small.len() < bytes.len() * 9 / 10;
    fs::write(stored, if is_gzip { &small } else { &bytes })?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let stored = stored.display().to_string();
    Ok(format!(
        "File {{ path: {path:?}, tag: {tag:?}, is_gzip: {is_gzip}, bytes: include_bytes!({stored:?}) }}"
    ))
}
