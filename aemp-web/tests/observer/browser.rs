//! The pages in a browser: Debian's Chromium. Skipped, with a word, where it is missing.

use std::{env, process::Stdio, time::Instant};

use tokio::process::{Child, Command};

use crate::{
    driver::Browser,
    pages::PAGES,
    traces,
    watched::{Watched, node},
};

/// The seed of the node that a process of its own runs.
const SEED: &str = "OBSERVED_SEED";
/// Keys of WebDriver.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

async fn browser() -> Option<Browser> {
    let browser = Browser::start().await;
    if browser.is_none() {
        println!("SKIPPED: there is no Chromium here (packages chromium and chromium-driver)");
    }
    browser
}

/// No test, but the node `victim` in a process of its own, if the variable names a seed.
#[tokio::test]
async fn a_node_of_its_own() {
    let Ok(seed) = env::var(SEED) else { return };
    let victim = node("victim").seed(seed).start().await.expect("it starts");
    victim.ended().await;
}

fn victim(seed: &str) -> Child {
    let mut command = Command::new(env::current_exe().expect("this program"));
    let command = command.args(["--exact", "browser::a_node_of_its_own"]);
    let command = command.env(SEED, seed).stdout(Stdio::null());
    command.kill_on_drop(true).spawn().expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_opens_without_an_error_and_can_be_read() {
    let Some(browser) = browser().await else {
        return;
    };
    let watched = Watched::start_as(|observer| observer.actions(true)).await;
    let _entry = watched.green.db_set("menu", "soup", "hot").expect("a name");
    let shop = traces::Shops::open(&watched).await;
    let trace = format!("/trace?id={}", shop.traced(&watched).await);
    let axe = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/observer/axe-core/axe.min.js"
    );
    let axe = std::fs::read_to_string(axe).expect("it is there");
    for (width, scheme) in [(1280, "light"), (380, "dark")] {
        browser.look(width, scheme).await;
        for path in PAGES.into_iter().chain([&*trace]) {
            browser.open(&format!("http://{}{path}", watched.at)).await;
            if !path.contains("ago") {
                browser
                    .until("document.getElementById('connection').textContent === 'live'")
                    .await;
            }
            browser
                .until("document.querySelector('#live').children.length > 0")
                .await;
            assert_eq!(browser.errors().await, [""; 0], "{path}");
            let wide = browser
                .run("return document.documentElement.scrollWidth > innerWidth")
                .await;
            assert_eq!(wide, false, "{path} is wider than {width} px");
            browser.run(&axe).await;
            let found = browser
                .wait(
                    "const done = arguments[arguments.length - 1];
                     axe.run().then((found) => done({
                       passes: found.passes.length,
                       bad: found.violations
                         .filter((one) => ['serious', 'critical'].includes(one.impact))
                         .map((one) => `${one.id}: ${one.nodes[0].html}`),
                     }));",
                )
                .await;
            assert!(
                found["passes"].as_u64().is_some_and(|passes| passes > 5),
                "{found}"
            );
            assert_eq!(found["bad"], serde_json::json!([]), "{path}, {scheme}");
        }
    }
    browser.quit().await;
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_a_node_that_is_killed() {
    let Some(browser) = browser().await else {
        return;
    };
    let watched = Watched::start().await;
    let mut victim = victim(&watched.green.listeners()[0]);
    browser.open(&format!("http://{}/", watched.at)).await;
    browser
        .until("document.body.textContent.includes('victim')")
        .await;
    victim.kill().await.expect("it runs");
    let killed = Instant::now();
    browser
        .until("document.body.textContent.includes('victim is lost')")
        .await;
    println!(
        "a killed node is shown as lost after {:?}",
        killed.elapsed()
    );
    browser
        .until("document.querySelector('.topology .lost, .changes') !== null")
        .await;
    browser.quit().await;
    watched.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() {
    let Some(browser) = browser().await else {
        return;
    };
    let watched = Watched::start().await;
    browser.open(&format!("http://{}/", watched.at)).await;
    browser.press(TAB).await;
    browser
        .until("document.activeElement.className === 'skip'")
        .await;
    browser.press(ENTER).await;
    browser.until("location.hash === '#main'").await;
    browser.press(TAB).await;
    browser
        .until("document.activeElement.id === 'filter'")
        .await;
    browser.press("green").await;
    browser.press(ENTER).await;
    browser.until("location.search.includes('q=green')").await;
    // The focus stays while the page follows the network.
    browser
        .run("document.querySelector('.topology a').focus()")
        .await;
    browser
        .until("document.getElementById('connection').textContent === 'live'")
        .await;
    let views =
        "window.views = 0; document.addEventListener('htmx:sseMessage', () => window.views++)";
    browser.run(views).await;
    browser.until("window.views >= 2").await;
    browser
        .until("document.activeElement.closest('.topology') !== null")
        .await;
    browser.press(ENTER).await;
    browser.until("location.pathname === '/node'").await;
    browser.quit().await;
    watched.stop().await;
}

/// The rows of a trace are read as a table, and a link leads from the handler of a one-way message to its sender.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_a_waterfall() {
    let Some(browser) = browser().await else {
        return;
    };
    let watched = Watched::start().await;
    let shops = traces::Shops::open(&watched).await;
    let trace = shops.traced(&watched).await;
    for (width, scheme) in [(1280, "dark"), (380, "light")] {
        browser.look(width, scheme).await;
        browser.open(&format!("http://{}/calls", watched.at)).await;
        browser
            .until("document.querySelectorAll('.waterfall tbody tr').length >= 3")
            .await;
        browser
            .open(&format!("http://{}/trace?id={trace}", watched.at))
            .await;
        // Each bar is within the drawing of its row.
        let inside = "(() => { const rows = [...document.querySelectorAll('.waterfall tbody tr')]; return rows.length >= 3 && rows.every((row) => {
            const [all, bar] = ['svg', '.handled'].map((part) => row.querySelector(part).getBoundingClientRect());
            return bar.width > 0 && bar.left >= all.left - 1 && bar.right <= all.right + 1; }); })()";
        browser.until(inside).await;
        browser
            .run("document.querySelector('.waterfall a.tie').focus()")
            .await;
        browser.press(ENTER).await;
        browser
            .until("document.querySelector('.waterfall tr:target th a').textContent === 'Till.pay'")
            .await;
        assert_eq!(browser.errors().await, [""; 0]);
    }
    browser.quit().await;
    watched.stop().await;
}
