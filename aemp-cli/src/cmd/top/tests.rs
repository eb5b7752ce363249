//! The keys and the picture, without a terminal and without a network.

use aemp::{
    inspect::{
        ConnectionInfo, Counts, Direction, FamilyInfo, NodeInfo, PortInfo, PortTypeInfo, Ports,
        Role, Traffic,
    },
    logs::{LogLevel, LogLine},
    supervisor::ChildInfo,
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use aemp_web::{network::Entry, reference::Part};
use serde_json::json;

use super::{
    app::{App, Then},
    network::{Opened, Report, Sight, Supervised, Tree, Trees},
    tab::Tab,
    view,
};

fn traffic(packets: u64, bytes: u64) -> Traffic {
    let mut traffic = Traffic::default();
    (traffic.packets, traffic.bytes) = (packets, bytes);
    traffic
}

fn connection(node: &str, direction: Direction, up: f64, total: u64) -> ConnectionInfo {
    let mut info = ConnectionInfo::default();
    info.node = node.into();
    info.provider = Some(
        if node == "perl" {
            "AE-2.01"
        } else {
            "aemp-rs-0.1.0"
        }
        .into(),
    );
    info.address = Some("10.0.0.1:4040".into());
    info.direction = Some(direction);
    info.up = up;
    let format_in = if node == "perl" { "cbor" } else { "json" };
    (info.format_in, info.format_out) = (Some(format_in.into()), Some("json".into()));
    info.tls = (node == "blue").then(|| "TLS 1.3".into());
    info.received = traffic(total, 100 * total);
    info.sent = traffic(2 * total, 1000 * total);
    info.monitors = 3;
    info
}

fn port(id: &str, kind: &str, queued: u64) -> PortInfo {
    let mut info = PortInfo::default();
    (info.id, info.kind, info.queued) = (id.into(), kind.into(), queued);
    info
}

fn kind(name: &str, count: u64, queued: u64) -> PortTypeInfo {
    let mut info = PortTypeInfo::default();
    (info.kind, info.count, info.queued) = (name.into(), count, queued);
    info
}

fn family(name: &str, keys: u64) -> FamilyInfo {
    let mut info = FamilyInfo::default();
    (info.name, info.keys) = (name.into(), keys);
    info
}

/// Counts that grow by 100 messages and 10 calls, two of them late, each second.
fn counts(uptime: f64) -> Counts {
    let seconds = uptime as u64;
    let answer = json!({
        "uptime": uptime, "counting": true, "bounds": [0.001, 0.01, 0.1], "restarts": 3, "limits": { "max_port_queue": 2 },
        "types": [{
            "type": "my::Worker", "died": { "die": 12, "normal": 4000 },
            "handlers": [{
                "name": "work", "handled": 100 * seconds, "times": { "classes": [50 * seconds, 49 * seconds, seconds] },
                "calls": { "ended": { "answered": 8 * seconds, "timeout": 2 * seconds }, "times": { "classes": [0, 10 * seconds] } },
            }],
        }],
    });
    serde_json::from_value(answer).expect("counts")
}

fn node(
    id: &str,
    uptime: f64,
    role: Role,
    connections: Vec<ConnectionInfo>,
    ports: Vec<PortInfo>,
) -> Sight {
    let mut info = NodeInfo::default();
    info.id = id.into();
    info.provider = "aemp-rs-0.1.0".into();
    info.uptime = uptime;
    info.role = Some(role);
    info.master = (role == Role::Slave).then(|| "green".into());
    info.memory = Some(12_345_678);
    let mut all = Ports::default();
    all.total = 1000 + ports.len() as u64;
    info.ports = all.total;
    all.queued = ports.iter().map(|port| port.queued).sum();
    all.types = vec![kind("my::Worker", 1000, all.queued), kind("untyped", 2, 0)];
    all.ports = ports;
    Sight::Full {
        info: Box::new(info),
        connections,
        ports: all,
        families: vec![family("'l", if role == Role::Global { 3 } else { 1 })],
        counts: Ok(Box::new(counts(uptime))),
    }
}

fn report(app: &mut App, node: &str, at: f64, sight: Sight) {
    let result = Ok(sight);
    app.add_report(Report {
        node: node.into(),
        at,
        result,
    });
}

/// Three nodes of this project, one of them silent, and a Perl node, in two rounds of answers two seconds apart.
fn network() -> App {
    let mut app = App::new("aemp/me");
    for (at, total) in [(1.0, 100), (3.0, 700)] {
        let green = vec![
            connection("aemp/me", Direction::In, at, 5),
            connection("blue", Direction::In, 60.0 + at, total),
            connection("perl", Direction::Out, 30.0 + at, 2 * total),
            connection("red", Direction::In, 10.0, 0),
        ];
        let ports = vec![
            port("green#a", "my::Worker", 12),
            port("green#b", "untyped", 0),
        ];
        report(
            &mut app,
            "green",
            at,
            node("green", 3700.0 + at, Role::Global, green, ports),
        );
        let mut blue = connection("green", Direction::Out, 60.0 + at, total);
        blue.queued = 4096;
        let ports = vec![port("blue#z", "my::Worker", 70)];
        report(
            &mut app,
            "blue",
            at,
            node("blue", 3700.0 + at, Role::Slave, vec![blue], ports),
        );
        let perl = Sight::Foreign {
            provider: Some("AE-2.01".into()),
            neighbours: vec!["green".into(), "aemp/me".into()],
            part: Part {
                global: Some(false),
                master: Some("green".into()),
            },
        };
        report(&mut app, "perl", at, perl);
    }
    app.add_report(Report {
        node: "red".into(),
        at: 4.0,
        result: Err("no known address".into()),
    });
    app
}

fn press(app: &mut App, keys: &str) {
    for character in keys.chars() {
        let code = match character {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            character => KeyCode::Char(character),
        };
        assert_eq!(app.key(KeyEvent::from(code)), Then::Go);
    }
}

fn keys(app: &App) -> Vec<String> {
    app.table().rows.into_iter().map(|row| row.key).collect()
}

fn picture(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen of text");
    terminal
        .draw(|frame| view::draw(frame, app, false))
        .expect("it is drawn");
    terminal.backend().to_string()
}

#[test]
fn nodes() {
    insta::assert_snapshot!(picture(&mut network(), 130, 9));
}

#[test]
fn connections() {
    let mut app = network();
    press(&mut app, "2");
    insta::assert_snapshot!(picture(&mut app, 130, 10));
}

#[test]
fn formats_are_shown_where_it_is_narrow() {
    let mut app = network();
    press(&mut app, "2");
    for width in [80, 120] {
        let picture = picture(&mut app, width, 10);
        let perl = picture.lines().find(|line| line.contains("json>cbor"));
        let perl = perl.unwrap_or_else(|| panic!("{picture}"));
        assert!(perl.contains(" no "), "{picture}");
        // The report of the other end.
        assert!(picture.contains("cbor>json"), "{picture}");
        assert!(picture.contains("yes"), "{picture}");
    }
}

#[test]
fn ports_and_types() {
    let mut app = network();
    press(&mut app, "3");
    let ports = picture(&mut app, 80, 8);
    press(&mut app, "\t");
    insta::assert_snapshot!(format!("{ports}\n{}", picture(&mut app, 80, 7)));
}

#[test]
fn handlers_and_calls() {
    let mut app = network();
    press(&mut app, "5");
    let handlers = picture(&mut app, 80, 5);
    press(&mut app, "6");
    insta::assert_snapshot!(format!("{handlers}\n{}", picture(&mut app, 100, 5)));
    assert_eq!(keys(&app), ["my::Worker work"]);
    let nodes = |app: &App, column: usize| {
        let cells = app.table().rows.into_iter();
        cells
            .map(|row| row.cells[column].text.clone())
            .collect::<Vec<_>>()
    };
    press(&mut app, "1");
    // Deaths and restarts of `blue` and `green`; nothing is known of `perl` and `red`.
    assert_eq!(nodes(&app, 7), ["12", "12", "-", "-"]);
    assert_eq!(nodes(&app, 8), ["3", "3", "-", "-"]);
}

#[test]
fn help_and_a_filter() {
    let mut app = network();
    press(&mut app, "?");
    let help = picture(&mut app, 80, 24);
    // Any key closes the help, and has no other effect.
    press(&mut app, "q");
    press(&mut app, "/gre");
    insta::assert_snapshot!(format!("{help}\n{}", picture(&mut app, 80, 8)));
}

#[test]
fn any_size_will_do() {
    let mut app = network();
    for (width, height) in [(1, 1), (2, 2), (10, 3), (3, 10), (40, 5), (300, 80)] {
        for keys in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "?", "x"] {
            press(&mut app, keys);
            picture(&mut app, width, height);
        }
    }
}

#[test]
fn rates_are_of_the_time_between_two_answers() {
    let app = network();
    let link = &app.network.nodes["blue"].connections[0];
    assert_eq!((link.received.packets, link.sent.packets), (300.0, 600.0));
    assert_eq!(
        (link.received.bytes, link.sent.bytes),
        (30_000.0, 300_000.0)
    );
    let total = app.network.nodes["green"].received();
    assert_eq!(total.packets, 900.0);
    // The traffic that `green` and `blue` have sent, and that of `perl`.
    assert_eq!(app.network.rate().packets, 600.0 + 600.0 + 1200.0 + 600.0);
}

#[test]
fn a_new_connection_has_no_rate_yet() {
    let mut app = network();
    let blue = connection("green", Direction::Out, 0.5, 10_000);
    report(
        &mut app,
        "blue",
        4.0,
        node("blue", 1.0, Role::Slave, vec![blue], vec![]),
    );
    let link = &app.network.nodes["blue"].connections[0];
    assert_eq!(link.received.packets, 0.0);
}

#[test]
fn of_a_silent_node_nothing_is_known() {
    let mut app = network();
    app.add_report(Report {
        node: "green".into(),
        at: 5.0,
        result: Err("no answer".into()),
    });
    let green = &app.network.nodes["green"];
    assert!(green.connections.is_empty() && green.ports.is_none());
    assert_eq!(green.provider.as_deref(), Some("aemp-rs-0.1.0"));
    // The other ends still report their connections.
    assert_eq!(app.network.connections(), 2);
}

#[test]
fn the_own_node_is_left_out() {
    let app = network();
    assert_eq!(keys(&app), ["blue", "green", "perl", "red"]);
    assert_eq!(app.network.nodes["green"].connections.len(), 3);
    assert_eq!(app.network.connections(), 3);
}

#[test]
fn nodes_without_reports_are_forgotten() {
    let mut app = network();
    app.network.forget(12.0);
    assert!(app.network.nodes.contains_key("red"));
    // Nodes that answer stay for any time.
    app.network.forget(14.0);
    assert_eq!(keys(&app), ["blue", "green", "perl"]);
}

#[test]
fn enter_goes_into_things_and_esc_back() {
    let mut app = network();
    press(&mut app, "j\n");
    assert_eq!(
        (app.place.tab, app.place.scope.as_deref()),
        (Tab::Connections, Some("green"))
    );
    assert_eq!(keys(&app), ["green blue", "green perl", "green red"]);
    press(&mut app, "\n");
    assert_eq!(app.place.scope.as_deref(), Some("blue"));
    press(&mut app, "3");
    assert_eq!(
        (app.place.scope.as_deref(), keys(&app)),
        (Some("blue"), vec!["blue#z".to_owned()])
    );
    press(&mut app, "\u{1b}");
    assert_eq!(
        (app.place.tab, app.place.scope.as_deref()),
        (Tab::Connections, Some("green"))
    );
    press(&mut app, "\u{1b}");
    assert_eq!(
        (app.place.tab, app.place.scope.as_deref()),
        (Tab::Nodes, None)
    );
    // The row that was left is selected again.
    let table = app.table();
    assert_eq!(app.place.meant(&table).as_deref(), Some("green"));
}

#[test]
fn a_type_leads_to_its_ports() {
    let mut app = network();
    press(&mut app, "4\n");
    assert_eq!(
        (app.place.tab, &*app.place.filter),
        (Tab::Ports, "my::Worker")
    );
    assert_eq!(keys(&app), ["blue#z", "green#a"]);
    press(&mut app, "\n");
    assert_eq!(app.place.scope.as_deref(), Some("blue"));
    press(&mut app, "1");
    assert_eq!(app.place.scope, None);
}

#[test]
fn a_family_leads_to_its_keys() {
    let mut app = network();
    press(&mut app, "7");
    let families = picture(&mut app, 80, 5);
    assert_eq!(app.family(), None);
    press(&mut app, "\n");
    assert_eq!(app.family(), Some("'l"));
    assert!(keys(&app).is_empty());
    let entry = |key: &str, owner: Option<&str>| {
        let value = r#"["10.0.0.1:4040"]"#.to_owned();
        let owner = owner.map(str::to_owned);
        (key.to_owned(), Entry { value, owner })
    };
    let mut opened = Opened {
        family: "'l".into(),
        at: 1.0,
        entries: Ok([entry("green", Some("green")), entry("blue", None)].into()),
    };
    app.open(opened.clone());
    insta::assert_snapshot!(format!("{families}\n{}", picture(&mut app, 80, 6)));
    // A late answer for another family changes nothing.
    opened.family = "'g".into();
    app.open(opened.clone());
    assert_eq!(keys(&app), ["blue", "green"]);
    (opened.family, opened.entries) = ("'l".into(), Err("no answer in time".into()));
    app.open(opened);
    assert!(picture(&mut app, 80, 6).contains("no answer in time"));
    press(&mut app, "3");
    assert_eq!((app.place.scope.as_deref(), app.family()), (None, None));
}

fn child(name: &str, port: &str, state: &str, restarts: u64, reason: &[&str]) -> ChildInfo {
    let reason = (restarts > 0).then_some(reason);
    let info = json!({
        "name": name, "port": port, "state": state, "restart": "Permanent", "restarts": restarts, "reason": reason,
    });
    serde_json::from_value(info).expect("a child")
}

fn supervised(id: &str, total: u64, children: Vec<ChildInfo>) -> Supervised {
    let id = id.into();
    Supervised {
        id,
        total,
        children,
    }
}

#[test]
fn supervisors_are_a_tree() {
    let mut app = network();
    let tree = vec![
        // A supervisor that is the child of another one is below it.
        supervised(
            "green#a",
            2,
            vec![
                child("", "green#w1", "Running", 0, &[]),
                child(
                    "",
                    "blue#w2",
                    "Absent",
                    1,
                    &["transport_error", "blue", "gone"],
                ),
            ],
        ),
        supervised(
            "green#top",
            112,
            vec![
                child("till", "green#t", "Waiting", 1234, &["die", "no money"]),
                child("guests", "green#a", "Running", 2, &[]),
            ],
        ),
    ];
    app.add_trees(Trees {
        node: "green".into(),
        supervisors: Some(tree.into_iter().map(Tree::Known).collect()),
    });
    // The tree that a node reports may be a circle.
    let circle = vec![supervised(
        "blue#x",
        1,
        vec![child("me", "blue#x", "Running", 0, &[])],
    )];
    app.add_trees(Trees {
        node: "blue".into(),
        supervisors: Some(circle.into_iter().map(Tree::Known).collect()),
    });
    press(&mut app, "8");
    insta::assert_snapshot!(picture(&mut app, 110, 12));
    press(&mut app, "/money\n");
    assert_eq!(keys(&app), ["green#top 0"]);
    press(&mut app, "\n");
    assert_eq!(
        (app.place.tab, app.place.scope.as_deref()),
        (Tab::Ports, Some("green"))
    );
    // A node that does not answer has no supervisors.
    app.add_report(Report {
        node: "green".into(),
        at: 5.0,
        result: Err("no answer".into()),
    });
    press(&mut app, "18");
    assert_eq!(keys(&app), ["blue#x", "blue#x 0"]);
}

#[test]
fn lines_of_the_log_come_with_the_last_one_first() {
    let mut app = network();
    for n in 0..1500_u32 {
        let node = if n % 2 == 0 { "green" } else { "blue" };
        let level = if n == 1499 {
            LogLevel::Error
        } else {
            LogLevel::Info
        };
        let time = 1_795_466_410.0 + f64::from(n);
        let mut line = LogLine::new(
            node.parse().expect("a node"),
            level,
            "my::part",
            format!("line {n}\u{1b}"),
        );
        line.time = time;
        app.log(line);
    }
    press(&mut app, "9");
    assert_eq!(keys(&app).len(), 1000, "the oldest are forgotten");
    insta::assert_snapshot!(picture(&mut app, 110, 6));
    press(&mut app, "\n");
    assert_eq!(
        (app.place.tab, app.place.scope.as_deref()),
        (Tab::Logs, Some("blue"))
    );
    assert_eq!(keys(&app).len(), 500);
    press(&mut app, "p");
    let last = app.network.logs.lines[0].1.clone();
    app.log(last);
    assert_eq!(keys(&app).len(), 500, "it stands still");
}

#[test]
fn rows_are_sorted_by_any_column() {
    let mut app = network();
    press(&mut app, "r");
    assert_eq!(keys(&app), ["red", "perl", "green", "blue"]);
    press(&mut app, ">>>>>>");
    // By waiting messages, descending, with unknown values last.
    assert_eq!(keys(&app), ["blue", "green", "perl", "red"]);
    press(&mut app, "r");
    assert_eq!(keys(&app), ["green", "blue", "perl", "red"]);
    press(&mut app, "<");
    assert_eq!(
        (app.place.order.column, app.place.order.reversed),
        (5, false)
    );
}

#[test]
fn the_meant_row_stays_the_same_when_rows_move() {
    let mut app = network();
    press(&mut app, "jj");
    let table = app.table();
    assert_eq!(app.place.meant(&table).as_deref(), Some("perl"));
    app.network.know("black", 5.0);
    let table = app.table();
    assert_eq!(
        (app.place.meant(&table).as_deref(), app.place.at),
        (Some("perl"), 3)
    );
    press(&mut app, "G");
    let table = app.table();
    assert_eq!(app.place.meant(&table).as_deref(), Some("red"));
    press(&mut app, "g");
    assert_eq!(app.place.at, 0);
}

#[test]
fn filters_are_words_of_any_column() {
    let mut app = network();
    press(&mut app, "/GLOBAL aemp-rs\n");
    assert_eq!(keys(&app), ["green"]);
    press(&mut app, "/x");
    assert!(keys(&app).is_empty());
    press(&mut app, "\n\n\u{1b}");
    assert_eq!(keys(&app).len(), 4);
    press(&mut app, "/q");
    assert!(app.typing);
    press(&mut app, "\u{1b}");
    assert!(app.place.filter.is_empty() && !app.typing);
}

#[test]
fn a_paused_picture_stands_still() {
    let mut app = network();
    press(&mut app, "p");
    report(
        &mut app,
        "new",
        9.0,
        node("new", 1.0, Role::Alone, vec![], vec![]),
    );
    assert_eq!(keys(&app).len(), 4);
    assert!(picture(&mut app, 80, 5).contains("paused"));
}

#[test]
fn there_are_two_ways_out() {
    let mut app = network();
    assert_eq!(app.key(KeyEvent::from(KeyCode::Char('q'))), Then::Quit);
    press(&mut app, "/q");
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.key(interrupt), Then::Quit);
}
