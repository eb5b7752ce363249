//! True if the others know the same.

use super::{Replay, view::View};

impl Replay<'_> {
    pub(super) fn place(&self, other: &str) -> String {
        let (name, node) = (&self.transcript.name, self.node);
        format!("{name}: {node} to {other}, after {:?}", self.step)
    }

    /// Compares the knowledge of the others with the recorded one.
    pub(super) fn check(&self) {
        if self.step.contains("nothing is sent") {
            assert_eq!(self.packets(), self.before, "{}", self.place("anybody"));
        }
        let alive = |other: &&String| !self.dead.contains(*other);
        for other in self.theirs.keys().filter(alive) {
            let theirs = &self.theirs[other];
            let ours = self.plain(other, self.ours[other].clone());
            let theirs = self.plain(other, theirs.clone());
            pretty_eq(&ours, &theirs, &self.place(other));
        }
    }

    /// Leaves out the parts that may differ.
    fn plain(&self, other: &str, mut view: View) -> View {
        let heard = &self.heard[other];
        view.ids.clear();
        view.packets = 0;
        // A node that turns out to be a seed while it is connected, and global, need not be asked to become global.
        view.hint &= self.dialled.contains(other);
        let seeds = self.config(self.node)["seeds"].as_array().unwrap();
        let is_seed = |node: &String| seeds.contains(&self.config(node)["binds"][0]);
        view.finds.retain(|node| !is_seed(node));
        if self.config(self.node)["global"] == true {
            // The reference takes a master before it finds that it is its own.
            view.slave = false;
            view.watched.remove("'g");
        }
        if heard.global {
            // The other may still report on families that it had asked for before it became global.
            view.told.remove("'g");
            if heard.slave {
                view.forget_echoes(&heard.shard);
            }
        }
        view
    }
}

fn pretty_eq(ours: &View, theirs: &View, place: &str) {
    assert!(
        ours == theirs,
        "{place}:\nours:   {ours:#?}\ntheirs: {theirs:#?}"
    );
}
