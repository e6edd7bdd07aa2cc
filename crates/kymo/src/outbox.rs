//! Hands events to the server; keeps them in the spool while none answers.
//!
//! Whoever emits through here waits a bounded time and loses nothing that could be written to disk. Every record must
//! carry an id, so that one which was stored although its answer was lost is stored once.
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kymo_connect::SpoolWriter;

use crate::{
    client::{Client, ClientError},
    failure::Failure,
    find::{self, Place, ServerFile, State, Where},
    receipt::{Receipt, Rejected},
};

/// Between looks for a server that was away.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Bytes of one request; the server takes 32 MiB.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Records of one request. A server that has refused a thousand of one looks at no more of it.
const REQUEST_RECORDS_MAX: usize = 1_000;

/// How long new events queue behind older ones of ours once a server is back. A server that takes no spool up (or one
/// so slowly) must not keep everything from it for ever.
const QUEUE_BEHIND: Duration = Duration::from_secs(15);
/// What counts of that between two looks at most: a machine that slept in between did so with its server.
const COUNTED_MAX: Duration = Duration::from_secs(1);
/// After so long events are held back a little, for spooling more would never let the spool become empty.
const HOLD_BACK_AFTER: Duration = Duration::from_secs(8);
/// Between looks at the spool folder.
const LOOK_AT_SPOOL: Duration = Duration::from_millis(50);

/// Where events go that this process makes.
pub(crate) struct Outbox {
    place: Where,
    spool_folder: PathBuf,
    is_elsewhere: bool,
    tells_denials: bool,
    patience: Duration,
    client: Option<Client>,
    spool: Option<SpoolWriter>,
    look_again_at: Instant,
    why_away: Option<String>,
    behind: Option<Behind>,
    has_room: Box<dyn Fn() -> bool + Send>,
}

/// Older events of this process are in the spool; newer ones must not overtake them.
struct Behind {
    chance: Chance,
    look_at: Instant,
}

/// How long the server that is there now could have taken them up.
#[derive(Default)]
struct Chance {
    seen: Option<Instant>,
    had: Duration,
}

impl Chance {
    /// How long, now that the server is seen once more.
    fn had(&mut self, now: Instant) -> Duration {
        let seen = self.seen.replace(now).unwrap_or(now);
        self.had += (now - seen).min(COUNTED_MAX);
        self.had
    }
}

/// What became of events.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// The server has decided about each.
    Stored(Receipt),
    /// They are on disk here and will be taken up.
    Spooled,
}

impl Outbox {
    /// Finds the server, or notes that there is none. A request may take `patience`.
    pub(crate) fn open(place: &Where, patience: Duration) -> Result<Self, Failure> {
        let found = Place::find(place)?;
        let spool_folder = spool_folder(&found)?;
        Ok(Self {
            place: place.clone(),
            is_elsewhere: spool_folder != found.data.join("spool"),
            spool_folder,
            tells_denials: false,
            patience,
            client: found.client(),
            spool: None,
            look_again_at: Instant::now() + LOOK_AGAIN,
            why_away: None,
            behind: None,
            has_room: Box::new(|| true),
        })
    }

    /// For a caller that can mend a token at once: one that is not accepted is an error, and nothing is kept.
    #[must_use]
    pub(crate) fn telling_denials(mut self) -> Self {
        self.tells_denials = true;
        self
    }

    /// From now on events are kept too while the token is not accepted: whoever streams cannot say them again.
    pub(crate) fn keep_denied(&mut self) {
        self.tells_denials = false;
    }

    /// For a caller whose events cannot wait for ever: they are held back for the sake of order only while there is
    /// room for more.
    pub(crate) fn hold_back_while(&mut self, has_room: impl Fn() -> bool + Send + 'static) {
        self.has_room = Box::new(has_room);
    }

    /// The server, while one is thought to be there.
    pub(crate) fn url(&self) -> Option<&str> {
        self.client.as_ref().map(Client::url)
    }

    /// Why the server was found away, in words.
    pub(crate) fn why_away(&self) -> Option<&str> {
        self.why_away.as_deref()
    }

    /// Whether the events are meant for a server that takes up no spool here.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// The folder of the spool.
    pub(crate) fn spool_folder(&self) -> &Path {
        &self.spool_folder
    }

    /// Hands over records, each a JSON object on one line, in order. An error is final: neither the server nor the
    /// disk took them.
    pub(crate) fn deliver(&mut self, records: &[String]) -> Result<Vec<Delivered>, Failure> {
        let mut answers = Vec::new();
        let mut done = 0;
        for part in requests(records) {
            let mut answer = self.deliver_request(part)?;
            if let Delivered::Stored(receipt) = &mut answer {
                receipt.shift(done);
            }
            done += part.len();
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Whatever the server answers to a request as a whole, its events are kept: it may be another program that has
    /// taken the port, a proxy, or a token that is renewed in a moment.
    fn deliver_request(&mut self, records: &[String]) -> Result<Delivered, Failure> {
        self.look_again();
        if self.client.is_some() && self.must_queue() {
            return self.keep(records);
        }
        let Some(client) = &self.client else {
            return self.keep(records);
        };
        match client.post_lines((records.join("\n") + "\n").as_bytes(), self.patience) {
            Ok(receipt) => self.keep_limited(receipt, records).map(Delivered::Stored),
            Err(error) if self.tells_denials && error.is_denial() => Err(error.into()),
            Err(error) => {
                self.away(&error);
                self.keep(records)
            }
        }
    }

    /// What came too fast for the server's taste comes again later.
    fn keep_limited(&mut self, mut receipt: Receipt, records: &[String]) -> Result<Receipt, Failure> {
        let (limited, rejected) = receipt.rejected.into_iter().partition(Rejected::is_rate_limited);
        receipt.rejected = rejected;
        let limited: Vec<Rejected> = limited;
        if let Some(first) = limited.first() {
            self.why_away = Some(format!("{} [{}]", first.message, first.code));
            let records: Vec<String> = limited
                .iter()
                .filter_map(|rejected| records.get(rejected.index).cloned())
                .collect();
            self.keep(&records)?;
        }
        Ok(receipt)
    }

    /// Whether older events of ours still wait in the spool, so that these have to go behind them. Waits a little for
    /// them where a steady flow would otherwise fill the spool as fast as the server empties it.
    fn must_queue(&mut self) -> bool {
        let began = Instant::now();
        let mut had = self.had_a_chance();
        let holds_back = had >= HOLD_BACK_AFTER;
        while self.is_behind() {
            let waits = holds_back && had < QUEUE_BEHIND && began.elapsed() < self.patience;
            if !waits || !(self.has_room)() {
                if had < QUEUE_BEHIND {
                    return true;
                }
                self.behind = None;
                return false;
            }
            std::thread::sleep(LOOK_AT_SPOOL);
            had = self.had_a_chance();
        }
        false
    }

    fn had_a_chance(&mut self) -> Duration {
        let now = Instant::now();
        self.behind
            .as_mut()
            .map_or(Duration::ZERO, |behind| behind.chance.had(now))
    }

    /// Whether our own spool is still there, as we wrote it or claimed by the server (`<name>.<claim>.taking`).
    fn is_behind(&mut self) -> bool {
        let (Some(behind), Some(spool)) = (&mut self.behind, &self.spool) else {
            return false;
        };
        let now = Instant::now();
        if now < behind.look_at {
            return true;
        }
        behind.look_at = now + LOOK_AT_SPOOL;
        let own = spool.path().file_stem().unwrap_or_default().as_encoded_bytes();
        let is_own = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let rest = name.as_encoded_bytes().strip_prefix(own);
            rest.is_some_and(|rest| rest.starts_with(b"."))
        };
        let waits = fs::read_dir(&self.spool_folder).is_ok_and(|entries| entries.flatten().any(is_own));
        if !waits {
            self.behind = None;
        }
        waits
    }

    fn look_again(&mut self) {
        if self.client.is_none() && Instant::now() >= self.look_again_at {
            self.look_again_at = Instant::now() + LOOK_AGAIN;
            self.client = Place::find(&self.place).ok().and_then(|found| found.client());
        }
    }

    fn away(&mut self, error: &ClientError) {
        self.why_away = Some(match error {
            ClientError::Unreachable { url, cause } => format!("{url} does not answer: {cause}"),
            ClientError::Refused { code, message, .. } => format!("{message} [{code}]"),
            ClientError::Strange { url, what } => format!("{url}: {what}"),
        });
        self.client = None;
        if let Some(behind) = &mut self.behind {
            behind.chance = Chance::default();
        }
        self.look_again_at = Instant::now() + LOOK_AGAIN;
    }

    fn keep(&mut self, records: &[String]) -> Result<Delivered, Failure> {
        let failed = |cause: std::io::Error, folder: &Path| Failure::disk("written", folder, &cause);
        if self.spool.is_none() {
            let spool =
                SpoolWriter::create(&self.spool_folder).map_err(|cause| failed(cause, &self.spool_folder))?;
            self.spool = Some(spool);
        }
        let spool = self.spool.as_mut().expect("made above");
        spool
            .append(records)
            .map_err(|cause| failed(cause, &self.spool_folder))?;
        // Nobody but us empties the spool of a server elsewhere, and that goes through here too.
        if !self.is_elsewhere {
            self.behind.get_or_insert(Behind {
                chance: Chance::default(),
                look_at: Instant::now(),
            });
        }
        Ok(Delivered::Spooled)
    }
}

/// Divides records into requests that every server takes.
fn requests(records: &[String]) -> Vec<&[String]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, record) in records.iter().enumerate() {
        let is_full = index - start == REQUEST_RECORDS_MAX || bytes + record.len() > REQUEST_BYTES_MAX;
        if index > start && is_full {
            parts.push(&records[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += record.len() + 1;
    }
    if start < records.len() {
        parts.push(&records[start..]);
    }
    parts
}

/// Where events wait: beside the ledger they are meant for. Events for a server elsewhere wait in a folder of its
/// own, so that no other server takes them for its.
fn spool_folder(found: &Place) -> Result<PathBuf, Failure> {
    let State::Named(endpoint) = &found.state else {
        return Ok(found.data.join("spool"));
    };
    let is_ours =
        ServerFile::read(&found.data).is_some_and(|file| file.url.trim_end_matches('/') == endpoint.url);
    if is_ours {
        return Ok(found.data.join("spool"));
    }
    let name = blake3::hash(endpoint.url.as_bytes()).to_hex();
    Ok(find::user_folder()?.join("elsewhere").join(&name[..16]))
}

/// Whether something waits in a spool folder.
pub(crate) fn is_waiting(spool_folder: &Path) -> bool {
    fs::read_dir(spool_folder).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_divided_into_requests_in_order_and_none_is_left_out() {
        let records: Vec<String> = (0..9).map(|n| n.to_string().repeat(1 << 20)).collect();
        let parts = requests(&records);
        assert_eq!(parts.concat(), records);
        assert!(
            parts
                .iter()
                .all(|part| part.iter().map(String::len).sum::<usize>() <= REQUEST_BYTES_MAX)
        );
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn a_machine_that_sleeps_takes_no_chance_from_its_server() {
        let (mut chance, mut now) = (Chance::default(), Instant::now());
        assert_eq!(chance.had(now), Duration::ZERO);
        for _ in 0..100 {
            now += LOOK_AT_SPOOL;
            chance.had(now);
        }
        assert_eq!(chance.had(now), LOOK_AT_SPOOL * 100);
        now += Duration::from_secs(3600);
        assert_eq!(chance.had(now), LOOK_AT_SPOOL * 100 + COUNTED_MAX);
        assert!(
            COUNTED_MAX + HOLD_BACK_AFTER < QUEUE_BEHIND,
            "there is time to hold back"
        );
    }

    #[test]
    fn a_record_larger_than_a_request_goes_alone() {
        let records = vec!["a".to_owned(), "b".repeat(REQUEST_BYTES_MAX + 1), "c".to_owned()];
        let lengths: Vec<usize> = requests(&records).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [1, 1, 1]);
        assert!(requests(&[]).is_empty());
        let many = vec![String::new(); 2_001];
        let lengths: Vec<usize> = requests(&many).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [1_000, 1_000, 1]);
    }
}
