//! Finds words in the strings of JSON text, whatever their case.

/// The text as words are compared: every character in lower case.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(fold_char).collect()
}

/// One character's lower case, which may be several. The final sigma is a sigma, for case must not depend on place.
fn fold_char(c: char) -> impl Iterator<Item = char> + Clone {
    c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c })
}
