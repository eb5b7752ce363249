use aemp::{Cx, Reply, protocol};

#[protocol]
trait Echo {
    const LIMIT: u8;

    async fn wait(&self) -> i64;

    fn body(&self) -> i64 {
        1
    }

    fn fails(&self) -> Result<i64, String>;

    fn context(&self, cx: &mut Cx<'_>);

    fn change(&mut self, n: i64);

    fn later(&self, reply: Reply<i64>);

    fn nobody(n: i64);
}

fn main() {}
