//! What the program itself reads: settings in a file, on the command line, and moments.

use std::{fs, path::Path};

// The program has no library; its readers are taken in by their files.
#[allow(dead_code, unused_imports, reason = "what only the program uses")]
#[path = "../../crates/kymo/src/moment.rs"]
mod moment;
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "what only the program uses"
)]
#[path = "../../crates/kymo/src/settings/mod.rs"]
mod settings_of_the_program;

use moment::Moment;
use settings_of_the_program::{KNOWN, Loaded, SettingsArgs};

/// A settings file, and its first line as a value given on the command line and as a moment.
pub(crate) fn settings(folder: &Path, bytes: &[u8]) {
    let file = folder.join("kymo.toml");
    fs::write(&file, bytes).expect("the folder can be written");
    let text = String::from_utf8_lossy(bytes);
    let first = text.lines().next().unwrap_or_default();
    load(folder, &file);
    let set = SettingsArgs {
        config: None,
        set: vec![first.to_owned()],
    };
    let _ = Loaded::load(&set, &folder.join("none"), &[]);
    if let Ok(moment) = first.parse::<Moment>()
        && !matches!(moment, Moment::Ago(_))
    {
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }
}

/// What is in force is what the file says, every value of it read back from its own text.
fn load(folder: &Path, file: &Path) {
    let args = SettingsArgs {
        config: Some(file.to_owned()),
        set: Vec::new(),
    };
    match Loaded::load(&args, folder, &[]) {
        Ok(loaded) => {
            let texts = KNOWN
                .iter()
                .filter_map(|known| Some(format!("{}={}", known.key, loaded.value(&known.key)?)));
            let again = SettingsArgs {
                config: None,
                set: texts.collect(),
            };
            let again =
                Loaded::load(&again, &folder.join("none"), &[]).expect("values in force are good values");
            assert_eq!(again.settings, loaded.settings);
        }
        Err(failure) => assert!(!failure.message.is_empty()),
    }
}
