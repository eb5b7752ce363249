//! A packet is written, framed and read, without a node.

use std::hint::black_box;

use aemp::{Format, Limits};

/// A port's name, a tag, a number and a text: the packet of the bench `codec`.
const MESSAGE: (&str, &str, i64, &str) = (
    "4K1m2QM6Gb",
    "inc",
    123_456,
    "0123456789abcdefghijklmnopqrstuv",
);

pub(crate) fn there_and_back(format: &Format, times: u64) {
    let mut bytes = Vec::new();
    for _ in 0..times {
        bytes.clear();
        write(format, &mut bytes);
        read(format, &bytes);
    }
}

fn write(format: &Format, out: &mut Vec<u8>) {
    let (port, tag, number, text) = black_box(MESSAGE);
    let mut packet = format.writer(out, Limits::default());
    let written = packet.str(port).and_then(|()| packet.str(tag));
    let written = written.and_then(|()| packet.arg(&number));
    let written = written.and_then(|()| packet.arg(text));
    written
        .and_then(|()| packet.finish())
        .expect("texts and numbers can be encoded");
}

fn read(format: &Format, bytes: &[u8]) {
    let found = format.framer(Limits::default()).scan(black_box(bytes));
    let packet = found.expect("it is a packet").expect("it is whole");
    let read = || {
        let mut packet = format.reader(&bytes[..packet.end], Limits::default())?;
        let names = (packet.text()?, packet.text()?);
        let arguments = (packet.required::<i64>()?, packet.required::<&str>()?);
        black_box((names, arguments));
        packet.finish().map(drop)
    };
    let read: Result<(), aemp::DecodeError> = read();
    read.expect("it was written above");
}
