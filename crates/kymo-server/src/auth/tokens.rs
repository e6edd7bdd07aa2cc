//! Tokens besides the owner's: `tokens.json` in the data folder keeps their hashes, never the tokens.
use std::{collections::BTreeMap, fs, io, path::Path, path::PathBuf, sync::Arc};

use kymo_event::Micros;
use kymo_hub::{BoundKey, Principal, Scope};
use parking_lot::RwLock;

use super::{Caller, secrets};

/// What is known of a token: everything but the token.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenInfo {
    /// Unique among the tokens of a folder.
    pub name: String,
    /// BLAKE3 of the token, hex.
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Keys that every event of this token has.
    #[serde(default)]
    pub bound: BTreeMap<BoundKey, String>,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is in use.
    #[error("there is a token named {name} already; revoke it first or choose another name")]
    NameTaken {
        /// The name asked for.
        name: String,
    },
    /// The name cannot be used.
    #[error("a token needs a name of 1 to 100 printable characters that is neither `owner` nor `browser`")]
    Name,
    /// A token that may do nothing.
    #[error("a token needs at least one scope: emit, read, manage or admin")]
    NoScope,
    /// A binding to nothing.
    #[error("a binding needs a value of 1 to 200 bytes")]
    Binding,
    /// Admin rights cannot be bound to some events.
    #[error("a token with the scope manage or admin cannot be bound")]
    BoundAdmin,
    /// The file could not be written.
    #[error("tokens.json could not be written")]
    Io(#[from] io::Error),
}

/// The tokens of a data folder.
#[derive(Debug)]
pub struct TokenStore {
    path: PathBuf,
    entries: RwLock<Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    info: TokenInfo,
    hash: blake3::Hash,
    caller: Arc<Caller>,
}

impl TokenStore {
    /// Reads `<data>/tokens.json`; a folder without one has no tokens.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = data.join("tokens.json");
        let infos: Vec<TokenInfo> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
            Err(error) => return Err(error),
        };
        let entries = infos.into_iter().map(Entry::new).collect::<io::Result<_>>()?;
        Ok(Self {
            path,
            entries: RwLock::new(entries),
        })
    }

    /// All tokens, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<TokenInfo> {
        self.entries
            .read()
            .iter()
            .map(|entry| entry.info.clone())
            .collect()
    }

    /// Makes a token and returns it: it is stored nowhere and cannot be shown again.
    pub fn create(
        &self,
        name: &str,
        scopes: Vec<Scope>,
        bound: BTreeMap<BoundKey, String>,
        now: Micros,
    ) -> Result<String, TokenError> {
        check(name, &scopes, &bound)?;
        let mut entries = self.entries.write();
        if entries.iter().any(|entry| entry.info.name == name) {
            return Err(TokenError::NameTaken { name: name.into() });
        }
        let token = secrets::new_token()?;
        let mut next = entries.clone();
        next.push(Entry::new(TokenInfo {
            name: name.into(),
            hash: blake3::hash(token.as_bytes()).to_hex().to_string(),
            scopes,
            bound,
            created: now.to_string(),
        })?);
        self.save(&next)?;
        *entries = next;
        Ok(token)
    }

    /// Ends a token at once; `false` if there is none of this name.
    pub fn revoke(&self, name: &str) -> io::Result<bool> {
        let mut entries = self.entries.write();
        let next: Vec<Entry> = entries
            .iter()
            .filter(|entry| entry.info.name != name)
            .cloned()
            .collect();
        if next.len() == entries.len() {
            return Ok(false);
        }
        self.save(&next)?;
        let ended = entries.iter().filter(|entry| entry.info.name == name);
        ended.for_each(|entry| entry.caller.revoked.cancel());
        *entries = next;
        Ok(true)
    }

    // All hashes are compared, so that the time says nothing about which one was near.
    pub(crate) fn caller(&self, hash: &blake3::Hash) -> Option<Arc<Caller>> {
        let entries = self.entries.read();
        entries.iter().fold(None, |found, entry| {
            if entry.hash == *hash {
                Some(entry.caller.clone())
            } else {
                found
            }
        })
    }

    fn save(&self, entries: &[Entry]) -> io::Result<()> {
        let infos: Vec<&TokenInfo> = entries.iter().map(|entry| &entry.info).collect();
        let mut text = serde_json::to_vec_pretty(&infos)?;
        text.push(b'\n');
        secrets::write_private(&self.path, &text)
    }
}

impl Entry {
    fn new(info: TokenInfo) -> io::Result<Self> {
        let hash = blake3::Hash::from_hex(&info.hash).map_err(|_| {
            let reason = format!("the hash of the token {} is not 64 hex digits", info.name);
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })?;
        let principal = Principal {
            name: info.name.as_str().into(),
            scopes: info.scopes.clone(),
            bound: info.bound.clone(),
        };
        Ok(Self {
            info,
            hash,
            caller: Caller::new(principal),
        })
    }
}

fn check(name: &str, scopes: &[Scope], bound: &BTreeMap<BoundKey, String>) -> Result<(), TokenError> {
    let reserved = ["owner", "browser"].contains(&name);
    if reserved || name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(TokenError::Name);
    }
    if scopes.is_empty() {
        return Err(TokenError::NoScope);
    }
    if bound.values().any(|value| value.is_empty() || value.len() > 200) {
        return Err(TokenError::Binding);
    }
    let rules = scopes
        .iter()
        .any(|scope| matches!(scope, Scope::Manage | Scope::Admin));
    if rules && !bound.is_empty() {
        return Err(TokenError::BoundAdmin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(0);

    #[test]
    fn a_token_is_known_by_its_hash_alone_and_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = TokenStore::open(folder.path()).expect("a store");
        let bound = BTreeMap::from([(BoundKey::Agent, "planner".to_owned())]);
        let token = store
            .create("ci", vec![Scope::Emit], bound.clone(), NOW)
            .expect("a token");
        let file = fs::read_to_string(folder.path().join("tokens.json")).expect("the file");
        assert!(!file.contains(&token));
        let reopened = TokenStore::open(folder.path()).expect("the store");
        let caller = reopened.caller(&blake3::hash(token.as_bytes())).expect("known");
        assert_eq!((&*caller.principal.name, &caller.principal.bound), ("ci", &bound));
        assert!(reopened.caller(&blake3::hash(b"other")).is_none());
    }

    #[test]
    fn a_revoked_token_is_gone_at_once_and_its_name_is_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = TokenStore::open(folder.path()).expect("a store");
        let token = store
            .create("ci", vec![Scope::Read], BTreeMap::new(), NOW)
            .expect("a token");
        let again = store.create("ci", vec![Scope::Read], BTreeMap::new(), NOW);
        assert!(matches!(again, Err(TokenError::NameTaken { .. })));
        let caller = store.caller(&blake3::hash(token.as_bytes())).expect("known");
        assert!(store.revoke("ci").expect("revoked"));
        assert!(caller.revoked.is_cancelled());
        assert!(!store.revoke("ci").expect("nothing to revoke"));
        assert!(store.caller(&blake3::hash(token.as_bytes())).is_none());
        store
            .create("ci", vec![Scope::Read], BTreeMap::new(), NOW)
            .expect("a token");
    }

    #[test]
    fn tokens_that_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = TokenStore::open(folder.path()).expect("a store");
        let bound = || BTreeMap::from([(BoundKey::User, "egor".to_owned())]);
        let none = BTreeMap::new;
        assert!(matches!(
            store.create("", vec![Scope::Read], none(), NOW),
            Err(TokenError::Name)
        ));
        assert!(matches!(
            store.create("owner", vec![Scope::Read], none(), NOW),
            Err(TokenError::Name)
        ));
        assert!(matches!(
            store.create("a", vec![], none(), NOW),
            Err(TokenError::NoScope)
        ));
        assert!(matches!(
            store.create("a", vec![Scope::Admin], bound(), NOW),
            Err(TokenError::BoundAdmin)
        ));
        let empty = BTreeMap::from([(BoundKey::User, String::new())]);
        assert!(matches!(
            store.create("a", vec![Scope::Read], empty, NOW),
            Err(TokenError::Binding)
        ));
    }
}
