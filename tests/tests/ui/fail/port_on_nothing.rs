use aemp::port;

#[port]
impl [u8] {
    #[rcv]
    fn get(&self) -> usize {
        self.len()
    }
}

fn main() {}
