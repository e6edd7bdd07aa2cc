//! A payload that is spread over the top level of a record: gathered in runs, each copied in one piece.
use super::UNNAMED;
use crate::json::Member;

/// The members so far.
pub(super) struct Spread<'a> {
    record: &'a str,
    /// The runs that are over, with commas between them.
    out: String,
    /// The run that may go on: where it begins and ends.
    run: Option<(usize, usize)>,
    /// The first of them, while it is the only one.
    only: Option<Member<'a>>,
    any: bool,
}

impl<'a> Spread<'a> {
    pub(super) const fn new(record: &'a str) -> Self {
        Self {
            record,
            out: String::new(),
            run: None,
            only: None,
            any: false,
        }
    }

    /// Adds a member of the record.
    #[inline]
    pub(super) fn add(&mut self, member: &Member<'a>) {
        let place = |part: &str| part.as_ptr() as usize - self.record.as_ptr() as usize;
        let start = place(member.raw_name()) - 1;
        let value = member.value().as_str();
        let end = place(value) + value.len();
        match &mut self.run {
            // Between neighbours stand a comma and white space, which may stay.
            Some((_, so_far)) if is_gap(&self.record.as_bytes()[*so_far..start]) => *so_far = end,
            run => {
                let over = run.replace((start, end));
                self.copy(over);
            }
        }
        self.only = (!self.any).then_some(*member);
        self.any = true;
    }

    /// The only member, if it holds the payload as a whole: because it is named as the event is, or because the event
    /// has a name that cannot stand there.
    pub(super) fn alone_as(&self, kind: &str) -> Option<Member<'a>> {
        let name = |member: &Member<'a>| member.name();
        self.only
            .filter(|member| name(member).is_some_and(|name| name == kind || name == UNNAMED))
    }

    /// All members as an object; `None` if there are none.
    pub(super) fn finish(&mut self) -> Option<String> {
        let over = self.run.take();
        self.copy(over);
        if !self.any {
            return None;
        }
        let mut out = std::mem::take(&mut self.out);
        out.push('}');
        Some(out)
    }

    fn copy(&mut self, run: Option<(usize, usize)>) {
        let Some((start, end)) = run else { return };
        if self.out.is_empty() {
            self.out.reserve(self.record.len());
            self.out.push('{');
        } else {
            self.out.push(',');
        }
        self.out.push_str(&self.record[start..end]);
    }
}

/// Whether nothing but a comma and white space is there: no member in between was left out.
fn is_gap(between: &[u8]) -> bool {
    between.len() <= 2 || !between.contains(&b'"')
}
