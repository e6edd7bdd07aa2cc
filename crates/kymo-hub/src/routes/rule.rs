//! A rule: whether it is for an event, and what it makes of it.

use kymo_event::{Event, Filter, Level, LineView, filter::FilterError, way::HOPS_MAX};

use super::{
    EmitSettings, RouteSettings,
    expression::Original,
    template::{Template, Text},
};

/// A route that can be run.
pub struct Rule {
    filter: Filter,
    backfill: bool,
    kind: Text,
    source: Option<Text>,
    level: Option<Text>,
    correlation: Vec<(Correlation, Text)>,
    data: Option<Template>,
}

/// Which key of the envelope.
type Correlation = for<'e, 'a> fn(&'e mut Event<'a>) -> &'e mut Option<std::borrow::Cow<'a, str>>;

/// Why a route cannot be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct RuleError {
    /// Which of its settings, such as `emit.data`.
    pub key: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// Why nothing was made of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct RouteFault {
    /// Stable.
    pub code: &'static str,
    /// What happened and what to do.
    pub message: String,
}

impl Rule {
    /// Reads the filter and the templates.
    pub fn new(settings: &RouteSettings) -> Result<Self, RuleError> {
        let filter = Filter::parse(&settings.when).map_err(|error: FilterError| RuleError {
            key: "when",
            message: error.to_string(),
        })?;
        let EmitSettings {
            kind,
            source,
            level,
            agent,
            session,
            task,
            user,
            tier,
            data,
        } = &settings.emit;
        let kind = text("emit.type", kind)?;
        if kind
            .plain()
            .is_some_and(|kind| kind.is_empty() || kind.starts_with("kymo."))
        {
            return Err(RuleError {
                key: "emit.type",
                message: "a type is not empty and does not begin with `kymo.`".into(),
            });
        }
        let level = maybe("emit.level", level.as_ref())?;
        if let Some(word) = level.as_ref().and_then(Text::plain)
            && Level::parse(word).is_none()
        {
            return Err(RuleError {
                key: "emit.level",
                message: format!("`{word}` is none of debug, info, warn, error, critical"),
            });
        }
        let keys: [(&'static str, &Option<String>, Correlation); 5] = [
            ("emit.agent", agent, |event| &mut event.agent),
            ("emit.session", session, |event| &mut event.session),
            ("emit.task", task, |event| &mut event.task),
            ("emit.user", user, |event| &mut event.user),
            ("emit.tier", tier, |event| &mut event.tier),
        ];
        let mut correlation = Vec::new();
        for (key, template, of) in keys {
            correlation.extend(maybe(key, template.as_ref())?.map(|text| (of, text)));
        }
        let data = data.as_ref().map(Template::compile).transpose();
        Ok(Self {
            filter,
            backfill: settings.backfill,
            kind,
            source: maybe("emit.source", source.as_ref())?,
            level,
            correlation,
            data: data.map_err(|message| RuleError {
                key: "emit.data",
                message,
            })?,
        })
    }

    /// The filter of the events it is for.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What is made of an event that the filter matched; `None` if it is of the imported past and the rule is not for
    /// that. `id` is the new event's.
    pub fn derive(&self, line: &LineView<'_>, id: String) -> Result<Option<Event<'static>>, RouteFault> {
        let event = line.to_event();
        if event.backfill && !self.backfill {
            return Ok(None);
        }
        let hops = event.hops.unwrap_or(0);
        if hops >= HOPS_MAX {
            return Err(RouteFault {
                code: "too_many_hops",
                message: format!(
                    "event {} is {hops} derivations away from an original: routes seem to feed each other; let their \
                     filters leave out what they emit",
                    line.seq()
                ),
            });
        }
        let original = Original::new(line);
        let text = |text: &Text, what: &str| text.write(&original).map_err(|error| fault(what, &error));
        let mut derived = Event::new(text(&self.kind, "type")?, event.source);
        if let Some(source) = &self.source {
            derived.source = text(source, "source")?.into();
        }
        derived.level = event.level;
        if let Some(level) = &self.level {
            let word = text(level, "level")?;
            let level = Level::parse(&word);
            derived.level = level.ok_or_else(|| fault("level", &format!("`{word}` is no level")))?;
        }
        derived.id = Some(id.into());
        derived.time = event.time;
        derived.agent = event.agent;
        derived.session = event.session;
        derived.task = event.task;
        derived.trace = event.trace;
        derived.parent = event.parent;
        derived.user = event.user;
        derived.tier = event.tier;
        for (of, template) in &self.correlation {
            let value = text(template, "a key of the envelope")?;
            *of(&mut derived) = (!value.is_empty()).then(|| value.into());
        }
        derived.cause = Some(line.seq());
        derived.hops = Some(hops + 1);
        derived.backfill = event.backfill;
        if let Some(data) = &self.data {
            let mut json = Vec::new();
            if data
                .write(&original, &mut json)
                .map_err(|error| fault("data", &error))?
            {
                derived.data = Some(String::from_utf8(json).expect("made of texts").into());
            }
        }
        Ok(Some(derived.into_owned()))
    }
}

fn text(key: &'static str, template: &str) -> Result<Text, RuleError> {
    Text::compile(template).map_err(|message| RuleError { key, message })
}

fn maybe(key: &'static str, template: Option<&String>) -> Result<Option<Text>, RuleError> {
    template.map(|template| text(key, template)).transpose()
}

fn fault(what: &str, error: &str) -> RouteFault {
    RouteFault {
        code: "template_failed",
        message: format!("the template of {what} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const CONDUCTOR: &str = include_str!("../../../../docs/examples/conductor-routes.toml");

    fn conductor() -> BTreeMap<String, Rule> {
        let mut file: BTreeMap<String, BTreeMap<String, RouteSettings>> =
            toml::from_str(CONDUCTOR).expect("it is TOML");
        let routes = file.remove("routes").expect("it has routes");
        let rule =
            |(name, settings): (String, RouteSettings)| (name, Rule::new(&settings).expect("it can be run"));
        routes.into_iter().map(rule).collect()
    }

    fn line(keys: &str) -> String {
        format!(r#"{{"seq":7,"recorded":"2026-02-14T19:01:23.457102Z",{keys},"crc":"00000000"}}"#)
    }

    /// What a rule makes of the line with these keys, as native JSON.
    fn derived(rule: &Rule, keys: &str) -> Result<Option<String>, RouteFault> {
        let line = line(keys);
        let view = LineView::parse(line.as_bytes()).expect("a line");
        let event = rule.derive(&view, "r:l:7".into())?;
        Ok(event.map(|event| {
            let mut json = Vec::new();
            event.to_json(&mut json);
            String::from_utf8(json).expect("text")
        }))
    }

    fn rule(settings: &str) -> Result<Rule, RuleError> {
        Rule::new(&serde_json::from_str(settings).expect("it is JSON"))
    }

    /// Which of the routes match, and what they make of it.
    fn routed(keys: &str) -> Vec<(String, String)> {
        let line = line(keys);
        let view = LineView::parse(line.as_bytes()).expect("a line");
        let matching = conductor()
            .into_iter()
            .filter(|(_, rule)| rule.filter().matches(&view));
        matching
            .map(|(name, rule)| (name, derived(&rule, keys).expect("no fault").expect("an event")))
            .collect()
    }

    #[test]
    fn the_four_routes_of_the_conductor_make_of_each_event_what_its_router_does() {
        let route = |name: &str, json: &str| vec![(name.to_owned(), json.to_owned())];
        assert_eq!(
            routed(
                r#""id":"m1","time":"2026-02-14T19:01:23.000000Z","type":"node-created","source":"memory","level":"info","user":"egor","tier":"gold","data":{"nodeId":"n1","position":{"x":1.50}}"#
            ),
            route(
                "memory-node-created",
                r#"{"id":"r:l:7","time":"2026-02-14T19:01:23.000000Z","type":"ui-update","source":"memory","level":"info","user":"egor","tier":"gold","cause":7,"hops":1,"data":{"action":"add-node","component":"mindmap","data":{"nodeId":"n1","position":{"x":1.50}}}}"#
            )
        );
        for (kind, source) in [("published", "capsule"), ("capsule-published", "marketplace")] {
            assert_eq!(
                routed(&format!(
                    r#""type":"{kind}","source":"{source}","level":"info","data":{{"capsuleId":"c"}}"#
                )),
                route(
                    "capsule-published",
                    &format!(
                        r#"{{"id":"r:l:7","type":"marketplace-update","source":"{source}","level":"info","cause":7,"hops":1,"data":{{"action":"new-listing","capsule":{{"capsuleId":"c"}}}}}}"#
                    )
                )
            );
        }
        let logs: Vec<String> = (0..12).map(|line| format!("\"line {line}\"")).collect();
        assert_eq!(
            routed(&format!(
                r#""type":"status-changed","source":"deploy","level":"warn","data":{{"id":"d","status":"failed","logs":[{}]}}"#,
                logs.join(",")
            )),
            route(
                "deploy-status",
                &format!(
                    r#"{{"id":"r:l:7","type":"deploy-update","source":"deploy","level":"warn","cause":7,"hops":1,"data":{{"deploymentId":"d","logs":[{}],"status":"failed"}}}}"#,
                    logs[2..].join(",")
                )
            )
        );
        assert_eq!(
            routed(
                r#""type":"step-completed","source":"pathways","level":"info","data":{"pathwayId":"p","step":3,"more":1}"#
            ),
            route(
                "pathway-progress",
                r#"{"id":"r:l:7","type":"progress-update","source":"pathways","level":"info","cause":7,"hops":1,"data":{"pathwayId":"p","step":3}}"#
            )
        );
        assert_eq!(
            routed(r#""type":"node-created","source":"other","level":"info""#),
            []
        );
    }

    #[test]
    fn keys_of_the_envelope_are_the_originals_unless_the_rule_says_otherwise() {
        let rule = rule(
            r#"{"when":"","emit":{"type":"{{ type }}.seen","source":"desk","level":"{{ 'error' if data.ms > 5 else 'debug' }}","agent":"{{ data.who }}","task":"","user":"u-{{ data.who }}"}}"#,
        )
        .expect("a rule");
        assert_eq!(
            derived(&rule, r#""type":"a","source":"b","level":"info","agent":"x","session":"s","task":"t","trace":"tr","span":"sp","parent":"pa","data":{"ms":7,"who":"me"}"#),
            Ok(Some(
                r#"{"id":"r:l:7","type":"a.seen","source":"desk","level":"error","agent":"me","session":"s","trace":"tr","parent":"pa","user":"u-me","cause":7,"hops":1}"#.into()
            ))
        );
    }

    #[test]
    fn what_goes_in_circles_ends_and_says_so() {
        let rule = rule(r#"{"when":"","emit":{"type":"a"}}"#).expect("a rule");
        let hops = |hops: u8| {
            derived(
                &rule,
                &format!(r#""type":"a","source":"b","level":"info","cause":3,"hops":{hops}"#),
            )
        };
        assert!(
            hops(7)
                .expect("no fault")
                .expect("an event")
                .contains(r#""cause":7,"hops":8"#)
        );
        assert_eq!(hops(8).expect_err("the end").code, "too_many_hops");
    }

    #[test]
    fn the_imported_past_is_for_rules_that_ask_for_it() {
        let past = r#""type":"a","source":"b","level":"info","backfill":true"#;
        let live = rule(r#"{"when":"","emit":{"type":"x"}}"#).expect("a rule");
        assert_eq!(derived(&live, past), Ok(None));
        let both = rule(r#"{"when":"","emit":{"type":"x"},"backfill":true}"#).expect("a rule");
        let event = derived(&both, past).expect("no fault").expect("an event");
        assert!(event.contains(r#""backfill":true"#), "{event}");
    }

    #[test]
    fn rules_that_cannot_be_run_are_refused_by_key() {
        for (settings, key) in [
            (r#"{"when":"type:(","emit":{"type":"x"}}"#, "when"),
            (r#"{"when":"","emit":{"type":"kymo.x"}}"#, "emit.type"),
            (r#"{"when":"","emit":{"type":""}}"#, "emit.type"),
            (r#"{"when":"","emit":{"type":"{{ x"}}"#, "emit.type"),
            (r#"{"when":"","emit":{"type":"x","level":"loud"}}"#, "emit.level"),
            (
                r#"{"when":"","emit":{"type":"x","agent":"{{ 1 + }}"}}"#,
                "emit.agent",
            ),
            (
                r#"{"when":"","emit":{"type":"x","data":["{{ a | b }}"]}}"#,
                "emit.data",
            ),
        ] {
            assert_eq!(
                rule(settings).err().map(|error| error.key),
                Some(key),
                "{settings}"
            );
        }
    }

    #[test]
    fn what_fails_on_one_event_names_the_part() {
        let rule = rule(
            r#"{"when":"","emit":{"type":"x","level":"{{ data.level }}","data":{"n":"{{ data.n / 2 }}"}}}"#,
        )
        .expect("a rule");
        let fault = |data: &str| {
            derived(
                &rule,
                &format!(r#""type":"a","source":"b","level":"info","data":{data}"#),
            )
            .expect_err("a fault")
        };
        let loud = fault(r#"{"level":"loud","n":1}"#);
        assert_eq!(
            (loud.code, loud.message.contains("`loud`")),
            ("template_failed", true),
            "{loud:?}"
        );
        assert!(fault(r#"{"level":"info","n":"many"}"#).message.contains("data"));
    }
}
