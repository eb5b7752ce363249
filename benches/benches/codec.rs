//! Encoding and decoding of single packets, beside other crates, on one thread. A figure is the best of many short batches, and
//! there are five of them: shown are the median, the lowest and the highest.
//!
//! Arguments other than `--smoke` choose the measurements whose names contain one of them.

use std::{
    env,
    hint::black_box,
    io,
    time::{Duration, Instant},
};

use aemp::{DecodeError, EncodeError, Format, Limits};
use aemp_benches::{appended::Appended, noise::Figures};

/// A port's name, a tag and a number. A text follows.
const MESSAGE: (&str, &str, i64) = ("4K1m2QM6Gb", "inc", 123_456);
/// The number of figures of each measurement.
const SERIES: usize = 5;
const SMALL: &str = "0123456789abcdefghijklmnopqrstuv";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test --benches` passes no arguments. It should only show that the program runs.
    let arguments: Vec<_> = env::args().skip(1).collect();
    let smoke = arguments.is_empty() || arguments.iter().any(|argument| argument == "--smoke");
    let chosen: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let large = SMALL.repeat(2048);
    println!("{:40} {:<26} 64 KiB, us", "", "32 bytes, ns");
    for (format, others) in families() {
        for measure in OURS.iter().chain(others) {
            let name = measure.name.replace("{}", format.name());
            if !chosen.is_empty() && !chosen.iter().any(|part| name.contains(*part)) {
                continue;
            }
            let (mut small_ns, mut large_us) = (Figures::default(), Figures::default());
            for _ in 0..if smoke { 1 } else { SERIES } {
                let batches = |full| if smoke { 1 } else { full };
                small_ns.push(best(measure, &format, SMALL, batches(600), 300)?);
                large_us.push(best(measure, &format, &large, batches(20), 50)? / 1e3);
            }
            println!("{name:40} {small_ns:<26} {large_us}");
        }
    }
    Ok(())
}

struct Measure {
    name: &'static str,
    run: Run,
}

/// The function of a measurement. It gets the format, the text, a packet in this format, and a buffer to write to.
type Run = fn(&Format, &str, &[u8], &mut Vec<u8>) -> io::Result<()>;

/// Each format, with the measurements of it and of other crates. The packets of other crates are ours without the
/// frame, and they do not search for the end of a packet.
fn families() -> [(Format, &'static [Measure]); 3] {
    [
        (Format::Postcard, POSTCARD),
        (Format::Cbor, CBOR),
        (Format::Json, JSON),
    ]
}

const OURS: &[Measure] = &[
    Measure {
        name: "encode, {}",
        run: |format, text, _, out| encode(format, text, out).map_err(io::Error::other),
    },
    Measure {
        name: "frame, {}",
        run: |format, _, packet, _| {
            black_box(frame(format, packet)?);
            Ok(())
        },
    },
    Measure {
        name: "decode, {}, borrowed",
        run: |format, _, packet, _| decode(format, packet).map_err(io::Error::other),
    },
    Measure {
        name: "frame and decode, {}, borrowed",
        run: |format, _, packet, _| {
            frame(format, packet)?;
            decode(format, packet).map_err(io::Error::other)
        },
    },
];

const POSTCARD: &[Measure] = &[
    Measure {
        name: "encode, crate postcard",
        run: |_, text, _, out| {
            let packet = packet(text);
            postcard::serialize_with_flavor(&packet, Appended(out)).map_err(io::Error::other)
        },
    },
    Measure {
        name: "decode, crate postcard, borrowed",
        run: |_, text, _, out| {
            // This crate writes the packet itself, once: ours is self-describing and its own is not.
            if out.is_empty() {
                let packet = packet(text);
                postcard::serialize_with_flavor(&packet, Appended(out))
                    .map_err(io::Error::other)?;
            }
            let packet = postcard::from_bytes::<(&str, &str, i64, &str)>(out);
            black_box(packet.map_err(io::Error::other)?);
            Ok(())
        },
    },
];

const CBOR: &[Measure] = &[
    Measure {
        name: "encode, cbor4ii",
        run: |_, text, _, out| {
            let packet = packet(text);
            cbor4ii::serde::to_writer(out, &packet).map_err(io::Error::other)
        },
    },
    Measure {
        name: "encode, ciborium",
        run: |_, text, _, out| {
            let packet = packet(text);
            ciborium::into_writer(&packet, out).map_err(io::Error::other)
        },
    },
    Measure {
        name: "decode, cbor4ii, borrowed",
        run: |_, _, packet, _| {
            let packet = cbor4ii::serde::from_slice::<(&str, &str, i64, &str)>(packet);
            black_box(packet.map_err(io::Error::other)?);
            Ok(())
        },
    },
    Measure {
        name: "decode, ciborium, owned",
        run: |_, _, packet, _| {
            let packet = ciborium::from_reader::<(String, String, i64, String), _>(packet);
            black_box(packet.map_err(io::Error::other)?);
            Ok(())
        },
    },
    Measure {
        name: "decode, ciborium's values",
        run: |_, _, packet, _| {
            let packet = ciborium::from_reader::<ciborium::Value, _>(packet);
            black_box(packet.map_err(io::Error::other)?);
            Ok(())
        },
    },
];

const JSON: &[Measure] = &[
    Measure {
        name: "encode, serde_json",
        run: |_, text, _, out| Ok(serde_json::to_writer(out, &packet(text))?),
    },
    Measure {
        name: "decode, serde_json, borrowed",
        run: |_, _, packet, _| {
            black_box(serde_json::from_slice::<(&str, &str, i64, &str)>(packet)?);
            Ok(())
        },
    },
];

/// The time of the quickest batch, in nanoseconds.
fn best(
    measure: &Measure,
    format: &Format,
    text: &str,
    batches: u32,
    batch: u32,
) -> io::Result<f64> {
    let mut packet = Vec::new();
    encode(format, text, &mut packet).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(packet.len());
    let writes = measure.name.starts_with("encode");
    let mut best = Duration::MAX;
    for _ in 0..batches {
        let start = Instant::now();
        for _ in 0..batch {
            if writes {
                out.clear();
            }
            (measure.run)(
                black_box(format),
                black_box(text),
                black_box(&packet),
                &mut out,
            )?;
        }
        best = best.min(start.elapsed());
    }
    Ok(best.as_nanos() as f64 / f64::from(batch))
}

/// The packet, opaque to the compiler, which would otherwise write constants in one step.
fn packet(text: &str) -> (&str, &str, i64, &str) {
    let (port, tag, number) = black_box(MESSAGE);
    (port, tag, number, text)
}

fn encode(format: &Format, text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let (port, tag, number, text) = packet(text);
    let mut packet = format.writer(out, Limits::default());
    packet.str(port)?;
    packet.str(tag)?;
    packet.arg(&number)?;
    packet.arg(text)?;
    packet.finish()
}

fn frame(format: &Format, packet: &[u8]) -> io::Result<usize> {
    let found = format.framer(Limits::default()).scan(packet);
    let found = found.map_err(io::Error::other)?;
    found
        .map(|range| range.end)
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn decode(format: &Format, packet: &[u8]) -> Result<(), DecodeError> {
    let mut packet = format.reader(packet, Limits::default())?;
    black_box((packet.text()?, packet.text()?));
    black_box((packet.required::<i64>()?, packet.required::<&str>()?));
    black_box(packet.finish()?);
    Ok(())
}
