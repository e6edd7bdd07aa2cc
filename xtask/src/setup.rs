//! What a command needs before it can begin: Node, the web page, test programs from the system's packages.
//!
//! Nothing is done twice: finished work leaves a stamp with a digest of what it was made from.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::Path,
};

use crate::steps::{Outcome, check, command, command_in, root, say, succeeds};

/// Node major version the web page is built with.
const NODE_MAJOR_MIN: u32 = 20;

/// A program the tests need, and the package that brings it on Debian and its relatives.
pub(crate) struct Needed {
    /// Name on the PATH.
    pub(crate) program: &'static str,
    /// Debian package.
    pub(crate) package: &'static str,
}

/// The browser of the end-to-end tests.
pub(crate) const CHROMIUM: Needed = Needed {
    program: "chromium",
    package: "chromium",
};

/// The brokers that tests of bridges start for themselves.
pub(crate) const BROKERS: [Needed; 2] = [
    Needed {
        program: "nats-server",
        package: "nats-server",
    },
    Needed {
        program: "redis-server",
        package: "redis-server",
    },
];

/// Makes sure that Node and npm are there.
pub(crate) fn node() -> Outcome {
    let output = command("node", &["--version"]).output().map_err(|_| {
        format!("Node {NODE_MAJOR_MIN} or newer is needed to build the web page; install it and try again")
    })?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|part| part.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_MAJOR_MIN) {
        return Err(format!("Node {NODE_MAJOR_MIN} or newer is needed, this is {version}").into());
    }
    if !succeeds(command("npm", &["--version"])) {
        return Err("npm is needed beside Node; install it and try again".into());
    }
    Ok(())
}

/// Installs the packages of a Node project, unless its lock file is the one installed last.
pub(crate) fn npm_ci(folder: &Path) -> Outcome {
    let stamp = folder.join("node_modules/.kymo-stamp");
    let digest = digest_of(&[folder.join("package-lock.json")], &[])?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == digest) {
        return Ok(());
    }
    say(&format!(
        "installing the packages of {}",
        folder.strip_prefix(root()).unwrap_or(folder).display()
    ));
    check(command_in(folder, "npm", &["ci", "--no-audit", "--no-fund"]))?;
    Ok(fs::write(stamp, digest)?)
}

/// Installs the Python packages that a folder's `requirements.txt` names, into an environment of the folder's own.
pub(crate) fn python(folder: &Path) -> Outcome {
    let environment = folder.join(".venv");
    let requirements = folder.join("requirements.txt");
    let stamp = environment.join("kymo-stamp");
    let digest = digest_of(&[requirements], &[])?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == digest) {
        return Ok(());
    }
    say(&format!(
        "installing the Python packages of {}",
        folder.strip_prefix(root()).unwrap_or(folder).display()
    ));
    check(command_in(folder, "python3", &["-m", "venv", "--clear", ".venv"])).map_err(|cause| {
        format!("Python 3 with its module venv is needed (Debian, Ubuntu: sudo apt-get install python3-venv): {cause}")
    })?;
    let pip = environment.join("bin/pip");
    let install = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ];
    check(command_in(folder, &pip.to_string_lossy(), &install))?;
    Ok(fs::write(stamp, digest)?)
}

/// Builds the web page into `web/dist`, unless it was built from these very sources.
pub(crate) fn web_page() -> Outcome {
    node()?;
    let web = root().join("web");
    npm_ci(&web)?;
    let stamp = web.join("node_modules/.kymo-dist-stamp");
    let files = [
        "package.json",
        "package-lock.json",
        "index.html",
        "vite.config.ts",
        "tsconfig.json",
    ];
    let files: Vec<_> = files
        .iter()
        .map(|name| web.join(name))
        .filter(|path| path.exists())
        .collect();
    let digest = digest_of(&files, &[web.join("src"), web.join("public")])?;
    let built = web.join("dist/index.html").exists();
    if built && fs::read_to_string(&stamp).is_ok_and(|found| found == digest) {
        say("the web page is up to date");
        return Ok(());
    }
    check(command_in(&web, "npm", &["run", "build"]))?;
    Ok(fs::write(stamp, digest)?)
}

/// Makes sure that a test program is there: through apt where that is allowed, else says what to install.
pub(crate) fn needed(needed: &Needed) -> Outcome {
    if on_path(needed.program) {
        return Ok(());
    }
    let advice = format!(
        "the tests need `{}`: install the package `{}` (Debian, Ubuntu: sudo apt-get install {}) and try again",
        needed.program, needed.package, needed.package
    );
    let root_user = command("id", &["-u"])
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !on_path("apt-get") || !root_user {
        return Err(advice.into());
    }
    say(&format!(
        "installing {} from the system's packages",
        needed.package
    ));
    let mut install = command("apt-get", &["install", "-y", "-qq", needed.package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    check(command("apt-get", &["update", "-qq"]))
        .and_then(|()| check(install))
        .map_err(|cause| format!("{advice} ({cause})"))?;
    Ok(())
}

/// Whether a program is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn digest_of(files: &[std::path::PathBuf], folders: &[std::path::PathBuf]) -> Outcome<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)?.hash(&mut hasher);
    }
    for folder in folders.iter().filter(|folder| folder.exists()) {
        hash_folder(folder, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) -> Outcome {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            hash_folder(&path, hasher)?;
        } else {
            entry.file_name().hash(hasher);
            fs::read(&path)?.hash(hasher);
        }
    }
    Ok(())
}
