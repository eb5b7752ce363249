use aemp::protocol;

#[protocol(owned)]
trait Shelf {
    fn count(&self) -> i64;
}

fn main() {}
