use aemp::protocol;

#[protocol]
trait Echo<T>: Clone {
    fn put(&self, value: T);
}

fn main() {}
