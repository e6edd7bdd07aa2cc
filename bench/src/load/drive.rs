//! Serves many links from one thread: waits until any of them has something, and lets the caller look at it.

use std::time::Duration;

use mio::{Events, Poll, Token};

use super::link::Link;
use crate::Outcome;

/// Bytes read at once; what fits the processor's own memory is not copied twice.
const SCRATCH_BYTES: usize = 256 << 10;

/// When nothing comes for so long, something is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The links of one thread.
pub(crate) struct Drive {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    /// In the order they were given.
    pub(crate) links: Vec<Link>,
}

impl Drive {
    /// Serves these.
    pub(crate) fn new(mut links: Vec<Link>) -> Outcome<Self> {
        let poll = Poll::new()?;
        for (index, link) in links.iter_mut().enumerate() {
            link.register(poll.registry(), Token(index))?;
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(links.len().max(1)),
            scratch: vec![0; SCRATCH_BYTES],
            links,
        })
    }

    /// Gives the links back, for others to serve.
    pub(crate) fn release(mut self) -> Outcome<Vec<Link>> {
        for link in &mut self.links {
            link.deregister(self.poll.registry())?;
        }
        Ok(self.links)
    }

    /// Waits until something has come, and calls `look` with each link that heard or sent something.
    pub(crate) fn turn(&mut self, look: impl FnMut(usize, &mut Link) -> Outcome) -> Outcome {
        if self.turn_within(PATIENCE, look)? {
            return Ok(());
        }
        Err(format!("nothing came for {} s", PATIENCE.as_secs()).into())
    }

    /// Serves what has come already, and waits for nothing.
    pub(crate) fn glance(&mut self) -> Outcome {
        self.turn_within(Duration::ZERO, |_, _| Ok(())).map(|_| ())
    }

    /// Serves what comes within `time`; false if nothing does.
    fn turn_within(
        &mut self,
        time: Duration,
        mut look: impl FnMut(usize, &mut Link) -> Outcome,
    ) -> Outcome<bool> {
        match self.poll.poll(&mut self.events, Some(time)) {
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => return Ok(true),
            other => other?,
        }
        for event in &self.events {
            let Token(index) = event.token();
            let link = &mut self.links[index];
            if event.is_writable() && !link.is_flushed() {
                link.flush()?;
            }
            if event.is_readable() {
                link.receive(&mut self.scratch)?;
            }
            look(index, link)?;
        }
        Ok(!self.events.is_empty())
    }

    /// Turns until every link is `done`.
    pub(crate) fn until(&mut self, done: impl Fn(&Link) -> bool) -> Outcome {
        let mut finished: Vec<bool> = self.links.iter().map(&done).collect();
        let mut left = finished.iter().filter(|finished| !**finished).count();
        while left > 0 {
            let turned = self.turn(|index, link| {
                if !finished[index] && done(link) {
                    finished[index] = true;
                    left -= 1;
                }
                Ok(())
            });
            turned.map_err(|cause| self.explain(&cause.to_string()))?;
        }
        Ok(())
    }

    fn explain(&self, cause: &str) -> String {
        let counts = self.links.iter().map(|link| link.heard.tally.count);
        let (least, most) = (counts.clone().min(), counts.max());
        format!(
            "{cause}; the readers have seen {} to {} events",
            least.unwrap_or(0),
            most.unwrap_or(0)
        )
    }
}
