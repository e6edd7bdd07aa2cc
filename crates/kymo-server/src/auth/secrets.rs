//! Files that only the owner may read: made where absent, replaced whole, never half written.
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The owner's token: the file's text, or a new one.
pub(crate) fn token(path: &Path) -> io::Result<String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = new_token()?;
            write_private(path, format!("{token}\n").as_bytes())?;
            return Ok(token);
        }
        Err(error) => return Err(error),
    };
    if text.is_empty() {
        return Err(invalid("the file is empty; remove it and a new token is made"));
    }
    make_private(path)?;
    Ok(text)
}

/// The key that signs cookies: 32 random bytes.
pub(crate) fn key(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = random::<32>()?;
            write_private(path, &key)?;
            return Ok(key);
        }
        Err(error) => return Err(error),
    };
    make_private(path)?;
    let wrong = || {
        invalid("the file does not hold 32 bytes; remove it and a new key is made (browsers log in again)")
    };
    bytes.try_into().map_err(|_| wrong())
}

/// A token nobody can guess.
pub(crate) fn new_token() -> io::Result<String> {
    Ok(format!("kymo_{}", URL_SAFE_NO_PAD.encode(random::<32>()?)))
}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Writes a file whole: readers see the old or the new content, and nobody but the owner sees any.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh)?;
    make_private(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&fresh, path)
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

// A folder below the user's profile is private to the user there.
#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_and_a_key_are_made_once_and_found_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (token_file, key_file) = (folder.path().join("token"), folder.path().join("key"));
        let (first, key_bytes) = (
            token(&token_file).expect("a token"),
            key(&key_file).expect("a key"),
        );
        assert!(first.starts_with("kymo_") && first.len() > 40);
        assert_eq!(token(&token_file).expect("the token"), first);
        assert_eq!(key(&key_file).expect("the key"), key_bytes);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_them_even_if_they_were_open_before() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        let mode = || fs::metadata(&file).expect("a file").permissions().mode() & 0o777;
        token(&file).expect("a token");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("permissions");
        token(&file).expect("the token");
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn an_empty_token_and_a_short_key_are_refused_with_the_way_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        fs::write(&file, "\n").expect("a file");
        assert!(token(&file).expect_err("empty").to_string().contains("remove it"));
        assert!(key(&file).expect_err("short").to_string().contains("remove it"));
    }
}
