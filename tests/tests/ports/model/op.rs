//! The operations on ports, in any order.

use proptest::prelude::*;

/// One thing to do. Ports are chosen by number, modulo how many there are.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Create,
    Note(usize),
    NoteFirst(usize),
    NoteFirstSlowly(usize),
    NoteFirstUntyped(usize),
    NoteSlowly(usize),
    NoteUntyped(usize),
    Hold(usize),
    Know(usize, usize),
    Monitor(usize),
    MonitorDetached(usize),
    Unmonitor(usize),
    Link(usize, usize),
    Guard(usize),
    Timer(usize),
    Task(usize),
    Ask(usize),
    CallAndDrop(usize),
    CallUntyped(usize),
    CallForgotten(usize),
    DropKept(usize),
    Kill(usize),
    KillNormally(usize),
    KillItself(usize),
    DropHandle(usize),
    Settle(usize),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let n = 0..16_usize;
    prop_oneof![
        4 => Just(Op::Create),
        4 => n.clone().prop_map(Op::Note),
        3 => n.clone().prop_map(Op::NoteFirst),
        1 => n.clone().prop_map(Op::NoteFirstSlowly),
        2 => n.clone().prop_map(Op::NoteFirstUntyped),
        3 => n.clone().prop_map(Op::NoteSlowly),
        3 => n.clone().prop_map(Op::NoteUntyped),
        2 => n.clone().prop_map(Op::Hold),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Know(a, b)),
        3 => n.clone().prop_map(Op::Monitor),
        2 => n.clone().prop_map(Op::MonitorDetached),
        3 => n.clone().prop_map(Op::Unmonitor),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Link(a, b)),
        1 => n.clone().prop_map(Op::Guard),
        1 => n.clone().prop_map(Op::Timer),
        1 => n.clone().prop_map(Op::Task),
        2 => n.clone().prop_map(Op::Ask),
        2 => n.clone().prop_map(Op::CallAndDrop),
        2 => n.clone().prop_map(Op::CallUntyped),
        2 => n.clone().prop_map(Op::CallForgotten),
        1 => n.clone().prop_map(Op::DropKept),
        2 => n.clone().prop_map(Op::Kill),
        1 => n.clone().prop_map(Op::KillNormally),
        1 => n.clone().prop_map(Op::KillItself),
        1 => n.clone().prop_map(Op::DropHandle),
        1 => n.prop_map(Op::Settle),
    ]
}
