use std::{error::Error, io};

use aemp::port;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn save(&self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    #[rcv]
    fn load(&mut self) -> io::Result<i64> {
        Ok(self.n)
    }
}

fn main() {}
