//! What the official suite of Socket.IO talks to: what comes goes back, in two namespaces.
//!
//! Only where the settings say so; nothing of the ledger is reached from here.
use std::{collections::BTreeSet, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::packet::{self, Kind, Packet};
use crate::{
    engineio::{End, random_id},
    ws::{close::Fault, outbox::Outbox},
};

const NESTING_MAX: usize = 64;
/// The suite listens for one message at a time, and misses a second one that comes in the same breath.
const BREATH: Duration = Duration::from_millis(10);

/// A conversation with the suite.
#[derive(Default)]
pub(crate) struct SuiteEcho {
    joined: BTreeSet<String>,
    /// What is said after a breath, and when.
    later: Option<(Instant, Vec<u8>)>,
    /// A packet whose attachments are not all here: its answer, and how many are to come.
    pending: Option<(Vec<u8>, Vec<Vec<u8>>, usize)>,
}

impl SuiteEcho {
    pub(crate) fn hear(&mut self, text: &str, outbox: &mut Outbox) -> Result<(), End> {
        let fault = |reason| End::Fault(Fault::protocol(reason));
        let packet = Packet::read(text, NESTING_MAX).map_err(fault)?;
        let namespace = packet.namespace;
        match packet.kind {
            Kind::Connect if !["/", "/custom"].contains(&namespace) => outbox.text(|out| {
                packet::begin(b'4', namespace, None, out);
                out.extend_from_slice(b"{\"message\":\"Invalid namespace\"}");
            }),
            Kind::Connect => {
                let sid = random_id().map_err(|_| End::Gone)?;
                self.joined.insert(namespace.to_owned());
                outbox.text(|out| {
                    packet::begin(b'0', namespace, None, out);
                    out.extend_from_slice(format!("{{\"sid\":\"{sid}\"}}").as_bytes());
                });
                let auth = packet.payload.map_or("{}", |auth| auth.as_str());
                let mut said = Vec::new();
                packet::begin(b'2', namespace, None, &mut said);
                said.extend_from_slice(format!("[\"auth\",{auth}]").as_bytes());
                self.later = Some((Instant::now() + BREATH, said));
            }
            _ if !self.joined.contains(namespace) => return Err(fault("nobody is in this namespace")),
            Kind::Disconnect => {
                self.joined.remove(namespace);
            }
            Kind::Event => self.echo(&packet, outbox),
            Kind::Ack => {}
        }
        Ok(())
    }

    /// Waits until something is to be said; for ever if there is nothing.
    pub(crate) async fn due(&self) {
        match &self.later {
            Some((at, _)) => sleep_until(*at).await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn say_what_is_due(&mut self, outbox: &mut Outbox) {
        if let Some((_, said)) = self.later.take() {
            outbox.text(|out| out.extend_from_slice(&said));
        }
    }

    fn echo(&mut self, packet: &Packet<'_>, outbox: &mut Outbox) {
        let mut arguments = packet.arguments().map(|argument| argument.as_str()).skip(1);
        let (first, more) = (arguments.next(), arguments.map(|argument| format!(",{argument}")));
        let list = first.unwrap_or_default().to_owned() + &more.collect::<String>();
        let (kind, payload) = match packet.id {
            Some(_) => (b'3', format!("[{list}]")),
            None if list.is_empty() => (b'2', "[\"message-back\"]".to_owned()),
            None => (b'2', format!("[\"message-back\",{list}]")),
        };
        let mut answer = Vec::new();
        let count = packet.attachments;
        if count > 0 {
            // With attachments it is another kind, and says how many there are.
            answer.extend_from_slice(&[b'4', kind + 3]);
            answer.extend_from_slice(format!("{count}-").as_bytes());
            answer.extend_from_slice(packet.id.unwrap_or_default().as_bytes());
        } else {
            packet::begin(kind, packet.namespace, packet.id, &mut answer);
        }
        answer.extend_from_slice(payload.as_bytes());
        match count {
            0 => outbox.text(|out| out.extend_from_slice(&answer)),
            _ => self.pending = Some((answer, Vec::new(), count)),
        }
    }

    pub(crate) fn hear_binary(&mut self, bytes: &[u8], outbox: &mut Outbox) -> Result<(), End> {
        let Some((answer, attachments, count)) = &mut self.pending else {
            return Err(End::Fault(Fault::BINARY));
        };
        attachments.push(bytes.to_vec());
        if attachments.len() == *count {
            outbox.text(|out| out.extend_from_slice(answer));
            attachments.iter().for_each(|bytes| outbox.binary(bytes));
            self.pending = None;
        }
        Ok(())
    }
}
