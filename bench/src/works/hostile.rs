//! Hostile clients: what others notice of each kind of attack, as the ratio of two 99th percentiles.
//!
//! The bystanders work alone and beside the attack in turns, on one server. Attackers share the two cores with the server
//! and the bystanders, and take what the system gives them; so two rows have no attack at all, but a program that
//! computes beside: what they show is the machine's, not the server's.

mod attacks;
mod siege;

use self::siege::{Attack, Siege};
use super::{Who, Work, bystanders::Bystanders, kymo};
use crate::{
    Outcome,
    args::Scale,
    contestants::Contestant,
    figures::{Figures, RATE, figure},
};

/// A row for each attack: its key, its title, and what is attacked with.
macro_rules! rows {
    ($($key:literal, $title:literal, $attack:ident;)*) => {
        &[$(Work {
            key: $key,
            title: $title,
            bars: &[],
            who: Who::Only(&[], "not asked"),
            run: |contestant, scale| beside(contestant, scale, &attacks::$attack),
            floor: None,
        }),*]
    };
}

/// All, in the order of the table.
pub(super) static HOSTILE: &[Work] = rows! {
    "hostile-none", "64 clients that await acks, and one reader, alone and beside nothing at all", NOTHING;
    "hostile-cpu", "the same beside a program that computes on one core and knows no server", COMPUTING;
    "hostile-cpus", "the same beside one that computes on four threads", COMPUTING_FOURFOLD;
    "hostile-bombs", "the same beside four clients that post bombs of zstd and gzip, one after the other", BOMBS;
    "hostile-brackets", "the same beside four that post 100,000 nested brackets, one after the other", BRACKETS;
    "hostile-bodies", "the same beside two that post 31 MiB of which nothing can be stored, one after the other", LARGE_BODIES;
    "hostile-deaf", "the same beside 40 readers that read nothing, 20 of them new each second", DEAF_READERS;
    "hostile-rush", "the same beside 1,000 connects a second: some ask, some say nothing, some break off", RUSH;
    "hostile-slow", "the same beside 200 clients that send ten bytes a second", SLOW_HEADS;
    "hostile-filters", "the same beside four readers with the dearest filters there are", DEAR_FILTERS;
};

fn beside(contestant: &dyn Contestant, scale: &Scale, attack: &Attack) -> Outcome<Figures> {
    let kymo = kymo(contestant)?;
    let (mut alone, mut beside, mut per_second) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.hostile_rounds {
        alone.push(Bystanders::measure(kymo, scale)?);
        let siege = Siege::begin(kymo, attack)?;
        beside.push(Bystanders::measure(kymo, scale)?);
        per_second.push(siege.end()?);
    }
    let (alone, beside) = (Bystanders::median(&alone), Bystanders::median(&beside));
    Ok(vec![
        figure("acks p99", "µs", alone.acks),
        figure("acks p99 beside", "µs", beside.acks),
        figure("acks", "times as long", beside.acks / alone.acks),
        figure("reader p99", "µs", alone.reader),
        figure("reader p99 beside", "µs", beside.reader),
        figure("reader", "times as long", beside.reader / alone.reader),
        figure(RATE, "attacks/s", crate::figures::median(&per_second)),
    ])
}
