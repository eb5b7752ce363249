use aemp::{Cx, Reason, port};

struct Session;

#[port]
impl Session {
    #[start]
    fn load(user: u64) {}

    #[start]
    fn again(&mut self) {}

    #[stop(after = 5)]
    fn save(self) {}
}

struct Other;

#[port]
impl Other {
    #[start]
    fn load(&mut self, user: u64) {}

    #[stop]
    fn save(&mut self, reason: Reason, cx: Cx<'_>) {}
}

struct Third;

#[port]
impl Third {
    #[start(now)]
    fn load(&mut self, reason: &Reason) -> Option<u8> {
        None
    }

    #[stop(within = "long")]
    fn save(&mut self, cx: &mut Cx<'_>, again: &mut Cx<'_>) {}

    #[rcv]
    #[stop]
    fn end(&mut self) {}

    #[start]
    #[stop]
    fn both(&mut self) {}
}

struct Slow;

#[port(blocking)]
impl Slow {
    #[stop(within = 0)]
    async fn save(&mut self) {}

    #[start]
    fn load(&mut self) -> Result<(), Unshown> {
        Ok(())
    }
}

struct Unshown;

struct Unshowable;

#[port]
impl Unshowable {
    #[start]
    fn load(&mut self) -> Result<(), Unshown> {
        Ok(())
    }
}

struct Twice;

#[port]
impl Twice {
    #[stop]
    fn save(&mut self) {}

    #[stop]
    fn save_again(&mut self) {}
}

fn main() {}
