//! What an event is about, as given on the command line or by a `kymo run` above: agent, session, task, …
use std::borrow::Cow;

use kymo_event::{Event, Level};

/// Envelope keys an emitter may give.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Labels {
    /// System or component that emits
    #[arg(
        long,
        env = "KYMO_SOURCE",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Labels"
    )]
    pub(crate) source: Option<String>,
    /// Which agent
    #[arg(
        long,
        env = "KYMO_AGENT",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Labels"
    )]
    pub(crate) agent: Option<String>,
    /// Which session
    #[arg(
        long,
        env = "KYMO_SESSION",
        hide_env_values = true,
        value_name = "ID",
        help_heading = "Labels"
    )]
    pub(crate) session: Option<String>,
    /// Which task
    #[arg(
        long,
        env = "KYMO_TASK",
        hide_env_values = true,
        value_name = "ID",
        help_heading = "Labels"
    )]
    pub(crate) task: Option<String>,
    /// Which trace
    #[arg(
        long,
        env = "KYMO_TRACE",
        hide_env_values = true,
        value_name = "ID",
        help_heading = "Labels"
    )]
    pub(crate) trace: Option<String>,
    /// The span above [env: KYMO_SPAN, set by `kymo run`]
    #[arg(long, value_name = "ID", help_heading = "Labels")]
    pub(crate) parent: Option<String>,
    /// For whom
    #[arg(
        long,
        env = "KYMO_USER",
        hide_env_values = true,
        value_name = "ID",
        help_heading = "Labels"
    )]
    pub(crate) user: Option<String>,
    /// Bronze, silver, gold, or whatever you say
    #[arg(
        long,
        env = "KYMO_TIER",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Labels"
    )]
    pub(crate) tier: Option<String>,
}

impl Labels {
    /// The source, or what a command calls itself.
    pub(crate) fn source_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.source.as_deref().unwrap_or(default)
    }

    /// Fills in what the event does not say itself.
    pub(crate) fn fill(&self, event: &mut Event<'_>) {
        if (event.source.is_empty() || event.source == "unknown")
            && let Some(source) = &self.source
        {
            event.source = Cow::Owned(source.clone());
        }
        fill(&mut event.agent, self.agent.as_ref());
        fill(&mut event.session, self.session.as_ref());
        fill(&mut event.task, self.task.as_ref());
        fill(&mut event.trace, self.trace.as_ref());
        fill(&mut event.user, self.user.as_ref());
        fill(&mut event.tier, self.tier.as_ref());
        fill(&mut event.parent, self.span_above().as_ref());
    }

    /// The span this process runs in.
    pub(crate) fn span_above(&self) -> Option<String> {
        self.parent
            .clone()
            .or_else(|| std::env::var("KYMO_SPAN").ok().filter(|span| !span.is_empty()))
    }
}

fn fill(key: &mut Option<Cow<'_, str>>, value: Option<&String>) {
    if key.is_none() {
        *key = value.map(|value| Cow::Owned(value.clone()));
    }
}

/// A level as people write it.
pub(crate) fn level(word: &str) -> Result<Level, String> {
    Level::parse(word)
        .ok_or_else(|| format!("`{word}` is no level; write debug, info, warn, error or critical"))
}
