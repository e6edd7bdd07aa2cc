//! `kymo stop`: asks the server to end and waits until it has.
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    exit::Exit,
    failure::Failure,
    find::{Place, State, Where},
    printer::Printer,
};

const EXAMPLES: &str = "\
Examples:
  kymo stop              stop the server of this folder
  kymo stop --data DIR   stop the one on DIR";

/// Arguments of `stop`.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seconds to wait for its end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    #[command(flatten)]
    place: Where,
}

impl Args {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let found = Place::find_settled(&self.place)?;
        let client = found.server()?;
        let _: Value = client.post("/api/v1/stop", &json!({}))?;
        let deadline = Instant::now() + Duration::from_secs(self.wait);
        while self.still_runs(&found, &client)? {
            if Instant::now() > deadline {
                return Err(Failure::failed(format!(
                    "the server at {} was asked to stop and still runs",
                    client.url()
                ))
                .hint("it may be writing out a lot; `kymo status` says what it does"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Printer::new().line(format!("stopped {}", client.url()));
        Ok(Exit::Done)
    }

    /// A local server runs until it gives the folder back; one elsewhere until it no longer answers.
    fn still_runs(&self, found: &Place, client: &crate::client::Client) -> Result<bool, Failure> {
        match &found.state {
            State::Named(_) => Ok(client.get_text("/healthz", &[]).is_ok()),
            _ => Ok(!matches!(Place::find(&self.place)?.state, State::Free)),
        }
    }
}
