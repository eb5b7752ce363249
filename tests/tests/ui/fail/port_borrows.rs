use aemp::port;

struct View<'a> {
    text: &'a str,
}

#[port]
impl<'a> View<'a> {
    #[rcv]
    fn len(&self) -> usize {
        self.text.len()
    }
}

struct Other<'a> {
    text: &'a str,
}

#[port]
impl Other<'_> {
    #[rcv]
    fn len(&self) -> usize {
        self.text.len()
    }
}

#[port]
struct Bare<'a>(&'a str);

fn main() {}
