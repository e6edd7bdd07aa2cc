//! A small life of a ledger in which each operation fails once, the power goes at each operation, and the disk is full
//! at each byte.

use kymo_ledger::{LedgerSettings, testing::Leaves};

use super::world::World;

fn world() -> World {
    World::new(LedgerSettings {
        segment_bytes_max: 100_000,
        compress_after_s: Some(100),
        retain_s: Some(1000),
        ..LedgerSettings::default()
    })
}

/// Opens, fills a segment and begins the next, compresses, retires, closes, opens again.
fn lives(world: &mut World) {
    drop(world.open());
    world.append(2);
    world.append(1030);
    world.look();
    world.clock.pass(200_000_000);
    world.append(3);
    world.maintain();
    world.clock.pass(2_000_000_000);
    world.maintain();
    world.append(1);
    world.close();
    drop(world.open());
    world.append(2);
    world.look();
}

/// Without sealing, so that it is soon over.
fn lives_shortly(world: &mut World) {
    drop(world.open());
    world.append(2);
    world.close();
    drop(world.open());
    world.append(1);
    world.look();
}

/// Whatever happened: on a healthy disk it goes on, all is there, nothing is damaged.
fn goes_on(world: &mut World) {
    world.disk.heal();
    if world.ledger.is_none() {
        world.open().expect("on a healthy disk a ledger opens");
    }
    world.check();
    assert!(world.append(3), "on a healthy disk events are taken");
    for _ in 0..2 {
        world.close();
        world.open().expect("on a healthy disk a ledger opens");
        world.check();
    }
    world.close();
    assert_eq!(world.verified().damage, [], "nothing was damaged");
}

fn operations(life: fn(&mut World)) -> u64 {
    let mut whole = world();
    life(&mut whole);
    whole.disk.operations()
}

fn leaves(operation: u64) -> [Leaves; 4] {
    [
        Leaves::Nothing,
        Leaves::Everything,
        Leaves::Any(operation),
        Leaves::Any(!operation),
    ]
}

#[test]
fn each_operation_may_fail_once() {
    for operation in 0..operations(lives) {
        let mut world = world();
        world.disk.fail_any(Some(operation));
        lives(&mut world);
        goes_on(&mut world);
    }
}

#[test]
fn the_power_may_go_at_each_operation() {
    for operation in 0..operations(lives) {
        for leaves in leaves(operation) {
            let mut world = world();
            world.disk.lose_power_after(Some(operation));
            lives(&mut world);
            world.cut_power(leaves);
            goes_on(&mut world);
        }
    }
}

#[test]
fn the_power_may_go_again_at_each_operation_of_the_recovery() {
    for first in (0..operations(lives_shortly)).step_by(3) {
        for leaves in leaves(first) {
            let cut = |again: u64| {
                let mut world = world();
                world.disk.lose_power_after(Some(first));
                lives_shortly(&mut world);
                world.cut_power(leaves);
                world.disk.lose_power_after(Some(again));
                drop(world.open());
                let done = !world.disk.is_off();
                world.cut_power(leaves);
                goes_on(&mut world);
                done
            };
            let times = (0..200).position(cut);
            assert!(times.is_some(), "a recovery comes to its end");
        }
    }
}

#[test]
fn the_disk_may_be_full_at_each_byte() {
    let mut whole = world();
    lives_shortly(&mut whole);
    for byte in 0..whole.disk.written() {
        let mut world = world();
        world.disk.set_space(Some(byte));
        lives_shortly(&mut world);
        goes_on(&mut world);
    }
}

/// Of the lines themselves not each byte, but each of what is written beside them.
#[test]
fn the_disk_may_be_full_while_a_segment_is_sealed_compressed_and_retired() {
    let mut whole = world();
    lives(&mut whole);
    let all = whole.disk.written();
    let step = usize::try_from(super::setting("KYMO_FAULT_BYTES", 997)).expect("a small number");
    for byte in (0..all).step_by(step) {
        let mut world = world();
        world.disk.set_space(Some(byte));
        lives(&mut world);
        goes_on(&mut world);
    }
}
