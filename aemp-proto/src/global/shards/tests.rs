use super::{super::size::size_of_family, *};

fn id(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

/// A table with the owners a and b, which are ours, and the global node g.
fn table() -> (Shards, u32, u32, u32) {
    let mut shards = Shards::default();
    let (a, b, g) = (
        shards.owner(&id("a")),
        shards.owner(&id("b")),
        shards.owner(&id("g")),
    );
    shards.set_ours(a, true);
    shards.set_ours(b, true);
    (shards, a, b, g)
}

fn set(shards: &mut Shards, owner: u32, key: &str, value: i64) -> Changed {
    shards.set(owner, &"f".into(), &key.into(), value.into()).0
}

fn del(shards: &mut Shards, owner: u32, key: &str) -> Option<Changed> {
    shards.del(owner, "f", key).map(|(changed, ..)| changed)
}

fn shown(shards: &Shards, key: &str) -> Option<i64> {
    shards.shown("f", key).and_then(Value::as_i64)
}

#[test]
fn the_last_writer_shows_and_its_end_brings_the_other_back() {
    let (mut shards, a, b, _) = table();
    let first = Changed {
        shown: true,
        ours: true,
        was: false,
        was_ours: false,
    };
    assert_eq!(set(&mut shards, a, "k", 1), first);
    assert!(set(&mut shards, b, "k", 2).shown);
    assert_eq!(shown(&shards, "k"), Some(2));
    assert!(set(&mut shards, a, "k", 1).shown);
    assert_eq!(shown(&shards, "k"), Some(1));
    assert!(del(&mut shards, a, "k").unwrap().shown);
    assert_eq!(shown(&shards, "k"), Some(2));
    assert!(del(&mut shards, a, "k").is_none());
    assert!(del(&mut shards, b, "k").unwrap().shown);
    assert_eq!(shards.families().count(), 0);
}

#[test]
fn changes_without_a_visible_effect_are_marked() {
    let (mut shards, a, b, g) = table();
    set(&mut shards, a, "k", 1);
    let same = set(&mut shards, a, "k", 1);
    assert!(!same.shown && !same.ours && same.was && same.was_ours);
    assert!(!set(&mut shards, b, "k", 1).shown);
    assert!(!del(&mut shards, b, "k").unwrap().shown);
    assert!(set(&mut shards, g, "k", 3).shown);
    assert!(!set(&mut shards, g, "k", 3).ours);
    assert_eq!(shards.ours("f", "k", None).and_then(Value::as_i64), Some(1));
    assert_eq!(shards.ours("f", "k", Some(&id("a"))), None);
}

#[test]
fn an_owner_takes_all_that_is_its_own_along() {
    let (mut shards, a, b, _) = table();
    set(&mut shards, a, "both", 1);
    set(&mut shards, b, "both", 2);
    set(&mut shards, b, "own", 3);
    let changes = shards.remove(Time::ZERO, &id("b"));
    assert_eq!(changes.len(), 2);
    assert!(
        changes
            .iter()
            .all(|(changed, ..)| changed.shown && changed.ours)
    );
    assert_eq!(
        (shown(&shards, "both"), shown(&shards, "own")),
        (Some(1), None)
    );
    assert!(shards.remove(Time::ZERO, &id("b")).is_empty());
    assert_eq!(
        shards.owners().map(NodeId::as_str).collect::<Vec<_>>(),
        ["a", "g"]
    );
}

#[test]
fn orphans_stay_for_a_while_and_go_to_their_claimant() {
    let (mut shards, a, _, g) = table();
    for key in ["g", "g#port", "kept", "claimed", "deleted"] {
        set(&mut shards, g, key, 1);
    }
    set(&mut shards, a, "deleted", 2);
    let expiry = Time::from(Duration::from_secs(4));
    let mut gone: Vec<_> = shards
        .orphan(Time::ZERO, &id("g"), expiry)
        .into_iter()
        .filter(|(changed, ..)| changed.shown)
        .map(|(_, _, key)| key.to_string())
        .collect();
    gone.sort();
    assert_eq!(gone, ["g", "g#port"]);
    assert!(
        !set(&mut shards, a, "claimed", 1).shown,
        "it was never gone"
    );
    assert!(del(&mut shards, a, "deleted").unwrap().shown);
    assert_eq!(
        shown(&shards, "deleted"),
        None,
        "the orphan does not come back"
    );
    assert_eq!(shards.deadline(), Some(expiry));
    assert!(shards.expire(Time::ZERO).is_empty());
    assert_eq!(shown(&shards, "kept"), Some(1));
    assert_eq!(shards.expire(expiry).len(), 1);
    assert_eq!(
        (shown(&shards, "kept"), shown(&shards, "claimed")),
        (None, Some(1))
    );
    assert_eq!((shards.deadline(), shards.owners().count()), (None, 2));
}

#[test]
fn a_node_that_comes_back_is_another_owner_than_its_orphans() {
    let (mut shards, _, _, g) = table();
    set(&mut shards, g, "k", 1);
    let expiry = Time::from(Duration::from_secs(4));
    shards.orphan(Time::ZERO, &id("g"), expiry);
    let again = shards.owner(&id("g"));
    assert_ne!(again, g);
    set(&mut shards, again, "new", 2);
    assert_eq!(shards.expire(expiry).len(), 1);
    assert_eq!(
        (shown(&shards, "k"), shown(&shards, "new")),
        (None, Some(2))
    );
}

#[test]
fn entries_that_become_ours_are_listed() {
    let (mut shards, a, _, g) = table();
    set(&mut shards, a, "k", 1);
    set(&mut shards, g, "l", 1);
    assert_eq!(shards.set_ours(g, true).len(), 1);
    assert!(shards.set_ours(g, true).is_empty());
    let all = shards.all_ours(Some(&id("g")));
    assert_eq!(all["f"].iter().map(|key| &**key).collect::<Vec<_>>(), ["k"]);
}

#[test]
fn the_usage_of_an_owner_is_known() {
    let (mut shards, a, b, _) = table();
    let held = |shards: &Shards, owner| (shards.held(owner).keys, shards.held(owner).bytes);
    let text = |shards: &mut Shards, owner, key: &str, text: &str| {
        shards.set(owner, &"f".into(), &key.into(), text.into());
    };
    text(&mut shards, a, "k", "12345");
    let one = held(&shards, a);
    let family = size_of_family("f");
    assert_eq!(one, (1, family + size("k", &"12345".into()).bytes));
    text(&mut shards, b, "k", "1");
    assert_eq!(held(&shards, a), one, "another's value is another's");
    text(&mut shards, a, "k", &"x".repeat(100));
    assert_eq!(held(&shards, a), (1, one.1 + 112 - 32));
    text(&mut shards, a, "l", "1");
    assert_eq!(held(&shards, a).0, 2);
    del(&mut shards, a, "k");
    del(&mut shards, a, "k");
    del(&mut shards, a, "l");
    assert_eq!(held(&shards, a), (0, 0));
    assert_eq!(held(&shards, b).0, 1);
    shards.orphan(Time::ZERO, &id("b"), Time::ZERO);
    assert_eq!(held(&shards, b).0, 1, "it is kept for a while");
    set(&mut shards, a, "k", 1);
    assert_eq!(
        held(&shards, b),
        (0, 0),
        "and goes when another node sets it"
    );
}

/// Lets time pass until nothing more is deleted. Returns the number of changes in each slice.
fn expire_all(shards: &mut Shards) -> Vec<usize> {
    let mut slices = Vec::new();
    while let Some(deadline) = shards.deadline() {
        slices.push(shards.expire(deadline).len());
    }
    slices
}

#[test]
fn much_goes_in_slices() {
    let (mut shards, a, b, _) = table();
    for key in 0..3 * SLICE {
        set(&mut shards, b, &key.to_string(), 1);
    }
    set(&mut shards, a, "0", 2);
    set(&mut shards, b, "0", 1);
    assert_eq!(shards.remove(Time::ZERO, &id("b")).len(), SLICE);
    assert_eq!(shards.deadline(), Some(Time::ZERO + PAUSE));
    assert!(
        shards.expire(Time::ZERO).is_empty(),
        "others have their turn"
    );
    let back = shards.owner(&id("b"));
    assert_ne!(back, b, "it may come back meanwhile");
    for key in ["1", "2"] {
        set(&mut shards, back, key, 3);
    }
    del(&mut shards, back, "1");
    assert_eq!(
        shown(&shards, "1"),
        None,
        "an entry that is gone does not come back"
    );
    assert_eq!(expire_all(&mut shards), [SLICE, SLICE - 2]);
    assert_eq!(
        (shown(&shards, "0"), shown(&shards, "2")),
        (Some(2), Some(3))
    );
    assert_eq!(shards.size("f"), 2);
    assert_eq!(shards.owner(&id("new")), b, "its place is free");
}

#[test]
fn a_small_owner_does_not_wait_for_a_large_one() {
    let (mut shards, a, b, g) = table();
    for key in 0..2 * SLICE {
        set(&mut shards, g, &key.to_string(), 1);
        set(&mut shards, b, &format!("b#{key}"), 1);
    }
    set(&mut shards, a, "small", 1);
    shards.remove(Time::ZERO, &id("g"));
    let expiry = Time::from(Duration::from_secs(4));
    shards.orphan(Time::ZERO, &id("b"), expiry);
    assert_eq!(shards.remove(Time::ZERO, &id("a")).len(), 1);
    assert_eq!(shown(&shards, "small"), None);
    while shards.deadline().is_some_and(|deadline| deadline < expiry) {
        shards.expire(shards.deadline().unwrap());
    }
    assert_eq!(shards.size("f"), 0, "its own keys go at once");
    assert_eq!(
        shards.owners().count(),
        1,
        "and the rest, of which there is none, later"
    );
    expire_all(&mut shards);
    assert_eq!(shards.owners().count(), 0);
}

/// Prints how long other threads wait while a million entries are deleted.
#[test]
#[ignore = "it measures"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn measure_a_million() {
    let mut shards = Shards::default();
    let b = shards.owner(&id("b"));
    for key in 0..1_000_000 {
        set(&mut shards, b, &format!("key{key}"), 1);
    }
    let began = std::time::Instant::now();
    let (mut took, mut slices) = (Vec::new(), vec![shards.remove(Time::ZERO, &id("b"))]);
    took.push(began.elapsed());
    while let Some(deadline) = shards.deadline() {
        let began = std::time::Instant::now();
        slices.push(shards.expire(deadline));
        took.push(began.elapsed());
    }
    took.sort();
    let all: Duration = took.iter().sum();
    println!(
        "{} slices, {all:?} in all, median {:?}, longest {:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
}
