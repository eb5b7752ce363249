use aemp::protocol;

#[protocol(strict)]
trait Shelf {
    fn count(&self) -> i64;
}

fn main() {}
