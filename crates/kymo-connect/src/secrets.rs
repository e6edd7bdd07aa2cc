//! Passwords, tokens and keys, each in a file of its own: they are in no settings, and shown to nobody.

use std::path::Path;

use kymo_hub::BridgeFault;

/// The text of a file, read anew for each connection, so that a changed secret holds without a restart.
pub(crate) async fn secret(file: &Path) -> Result<String, BridgeFault> {
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|error| unreadable(file, &error))?;
    Ok(text.trim().to_owned())
}

/// A file that cannot be used.
pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> BridgeFault {
    BridgeFault::new(
        "secret_unreadable",
        format!("{} cannot be used: {error}", file.display()),
    )
}
