//! The language of a file, by its name or its first line.

/// By file name, then by extension.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let find = |list: &'static [(&str, &str)], key: &str| {
        list.iter().find(|(known, _)| *known == key).map(|(_, of)| *of)
    };
    find(NAMES, &lower).or_else(|| find(EXTENSIONS, lower.rsplit_once('.')?.1))
}

/// By `#!`.
pub(super) fn by_first_line(text: &[u8]) -> Option<&'static str> {
    let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word));
    let mut program = words.next()?;
    if program == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    }
    let program = program.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    INTERPRETERS
        .iter()
        .find(|(known, _)| *known == program)
        .map(|(_, of)| *of)
}

const NAMES: &[(&str, &str)] = &[
    ("makefile", "Makefile"),
    ("gnumakefile", "Makefile"),
    ("dockerfile", "Dockerfile"),
    ("containerfile", "Dockerfile"),
    ("cmakelists.txt", "CMake"),
    ("justfile", "Just"),
    ("gemfile", "Ruby"),
    ("rakefile", "Ruby"),
    ("jenkinsfile", "Groovy"),
    ("cargo.lock", "TOML"),
    ("poetry.lock", "TOML"),
    ("go.mod", "Go Module"),
    (".gitignore", "Ignore List"),
    (".dockerignore", "Ignore List"),
    (".bashrc", "Shell"),
    (".zshrc", "Shell"),
    (".profile", "Shell"),
];

const EXTENSIONS: &[(&str, &str)] = &[
    ("rs", "Rust"),
    ("py", "Python"),
    ("pyi", "Python"),
    ("ipynb", "Jupyter Notebook"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("jsx", "JavaScript"),
    ("ts", "TypeScript"),
    ("mts", "TypeScript"),
    ("cts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("vue", "Vue"),
    ("svelte", "Svelte"),
    ("astro", "Astro"),
    ("html", "HTML"),
    ("htm", "HTML"),
    ("css", "CSS"),
    ("scss", "SCSS"),
    ("sass", "SCSS"),
    ("less", "Less"),
    ("go", "Go"),
    ("java", "Java"),
    ("kt", "Kotlin"),
    ("kts", "Kotlin"),
    ("scala", "Scala"),
    ("groovy", "Groovy"),
    ("gradle", "Groovy"),
    ("clj", "Clojure"),
    ("c", "C"),
    ("h", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
    ("cxx", "C++"),
    ("hpp", "C++"),
    ("hh", "C++"),
    ("cs", "C#"),
    ("fs", "F#"),
    ("vb", "Visual Basic"),
    ("swift", "Swift"),
    ("m", "Objective-C"),
    ("mm", "Objective-C"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("pl", "Perl"),
    ("pm", "Perl"),
    ("lua", "Lua"),
    ("r", "R"),
    ("jl", "Julia"),
    ("dart", "Dart"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("erl", "Erlang"),
    ("hs", "Haskell"),
    ("ml", "OCaml"),
    ("mli", "OCaml"),
    ("elm", "Elm"),
    ("nim", "Nim"),
    ("zig", "Zig"),
    ("d", "D"),
    ("v", "V"),
    ("sol", "Solidity"),
    ("asm", "Assembly"),
    ("s", "Assembly"),
    ("wat", "WebAssembly"),
    ("sh", "Shell"),
    ("bash", "Shell"),
    ("zsh", "Shell"),
    ("fish", "Shell"),
    ("ps1", "PowerShell"),
    ("psm1", "PowerShell"),
    ("bat", "Batch"),
    ("cmd", "Batch"),
    ("sql", "SQL"),
    ("graphql", "GraphQL"),
    ("proto", "Protocol Buffers"),
    ("tf", "HCL"),
    ("hcl", "HCL"),
    ("nix", "Nix"),
    ("cmake", "CMake"),
    ("mk", "Makefile"),
    ("toml", "TOML"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("json", "JSON"),
    ("jsonc", "JSON"),
    ("json5", "JSON"),
    ("jsonl", "JSON Lines"),
    ("ndjson", "JSON Lines"),
    ("xml", "XML"),
    ("svg", "SVG"),
    ("ini", "INI"),
    ("cfg", "INI"),
    ("conf", "INI"),
    ("env", "INI"),
    ("csv", "CSV"),
    ("tsv", "CSV"),
    ("md", "Markdown"),
    ("mdx", "Markdown"),
    ("rst", "reStructuredText"),
    ("adoc", "AsciiDoc"),
    ("tex", "TeX"),
    ("typ", "Typst"),
    ("txt", "Text"),
    ("log", "Log"),
    ("diff", "Diff"),
    ("patch", "Diff"),
];

const INTERPRETERS: &[(&str, &str)] = &[
    ("sh", "Shell"),
    ("bash", "Shell"),
    ("dash", "Shell"),
    ("zsh", "Shell"),
    ("ksh", "Shell"),
    ("fish", "Shell"),
    ("python", "Python"),
    ("node", "JavaScript"),
    ("bun", "TypeScript"),
    ("deno", "TypeScript"),
    ("ts-node", "TypeScript"),
    ("tsx", "TypeScript"),
    ("ruby", "Ruby"),
    ("perl", "Perl"),
    ("php", "PHP"),
    ("lua", "Lua"),
    ("awk", "Awk"),
    ("gawk", "Awk"),
    ("make", "Makefile"),
    ("pwsh", "PowerShell"),
    ("Rscript", "R"),
    ("julia", "Julia"),
    ("elixir", "Elixir"),
    ("groovy", "Groovy"),
    ("nix-shell", "Nix"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_name_extension_or_first_line() {
        assert_eq!(by_name("main.rs"), Some("Rust"));
        assert_eq!(by_name("README.MD"), Some("Markdown"));
        assert_eq!(by_name("Makefile"), Some("Makefile"));
        assert_eq!((by_name("LICENSE"), by_name("a.unknown")), (None, None));
        assert_eq!(
            by_first_line(b"#!/usr/bin/env -S FOO=1 python3.12 -u\nx"),
            Some("Python")
        );
        assert_eq!(by_first_line(b"#!/bin/sh"), Some("Shell"));
        assert_eq!(
            (
                by_first_line(b"#!"),
                by_first_line(b"x #!/bin/sh"),
                by_first_line(b"")
            ),
            (None, None, None)
        );
    }
}
