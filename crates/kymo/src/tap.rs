//! A tap on a stream of bytes: cuts the copy that is recorded into lines, and never holds more than one line.

/// One line of output, without its line end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
    /// Bytes left out because the line is long.
    pub(crate) cut: u64,
}

/// Cuts bytes into lines as they come.
#[derive(Debug)]
pub(crate) struct Tap {
    line_bytes_max: usize,
    line: Vec<u8>,
    cut: u64,
    open: bool,
    /// Lines so far.
    pub(crate) lines: u64,
    /// Bytes so far.
    pub(crate) bytes: u64,
}

impl Tap {
    pub(crate) fn new(line_bytes_max: usize) -> Self {
        Self {
            line_bytes_max,
            line: Vec::new(),
            cut: 0,
            open: false,
            lines: 0,
            bytes: 0,
        }
    }

    /// Takes the next bytes and hands out the lines they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], each: &mut dyn FnMut(Line)) {
        self.bytes += bytes.len() as u64;
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let ends = part.ends_with(b"\n");
            self.append(part.strip_suffix(b"\n").unwrap_or(part));
            if ends {
                self.end_line(each);
            }
        }
    }

    /// The stream has ended: hands out a last line without line end.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(Line)) {
        if self.open {
            self.end_line(each);
        }
    }

    fn append(&mut self, part: &[u8]) {
        self.open = true;
        let room = self.line_bytes_max.saturating_sub(self.line.len());
        let kept = part.len().min(room);
        self.line.extend_from_slice(&part[..kept]);
        self.cut += (part.len() - kept) as u64;
    }

    fn end_line(&mut self, each: &mut dyn FnMut(Line)) {
        self.lines += 1;
        self.open = false;
        let mut bytes = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if cut == 0 && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        each(Line {
            number: self.lines,
            bytes,
            cut,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(limit: usize, parts: &[&[u8]]) -> Vec<(String, u64)> {
        let mut tap = Tap::new(limit);
        let mut got = Vec::new();
        let mut each = |line: Line| got.push((String::from_utf8(line.bytes).expect("text"), line.cut));
        for part in parts {
            tap.feed(part, &mut each);
        }
        tap.finish(&mut each);
        got
    }

    #[test]
    fn a_last_line_without_line_end_counts_and_a_final_line_end_makes_no_extra_line() {
        assert_eq!(lines(99, &[b"a\nb"]), [("a".into(), 0), ("b".into(), 0)]);
        assert_eq!(lines(99, &[b"a\r\n\n"]), [("a".into(), 0), (String::new(), 0)]);
        assert_eq!(lines(99, &[]), []);
    }

    #[test]
    fn a_long_line_is_cut_and_says_by_how_much() {
        assert_eq!(
            lines(3, &[b"abcdef\nxy\n"]),
            [("abc".into(), 3), ("xy".into(), 0)]
        );
    }

    proptest! {
        #[test]
        fn however_the_bytes_arrive_the_lines_are_the_same(text in "[ab\n\r]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut start = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                parts.push(&text.as_bytes()[start..cut]);
                start = cut;
            }
            prop_assert_eq!(lines(5, &parts), lines(5, &[text.as_bytes()]));
        }
    }
}
