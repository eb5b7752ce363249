//! Instructions per operation, counted by callgrind.
//!
//! A point is counted with its number of operations and with twice as many. The difference is that of the operations:
//! the making of the ports, nodes and monitors is in both.

use std::{env, process::Command};

use super::{Child, curve::Curve};

/// The operations of a point, if there are no more things than that. Callgrind takes some fifty times as long.
const OPERATIONS: u64 = 20_000;

/// Prints the instructions of each point.
pub(super) fn count(curves: &[Curve], smoke: bool) -> Result<(), String> {
    for curve in curves {
        println!(
            "{} [instructions {}]",
            curve.title,
            &curve.unit["ns ".len()..]
        );
        let (sizes, _) = curve.scale(smoke);
        for size in sizes.iter().filter(|size| **size <= curve.counted) {
            let operations = OPERATIONS.max(*size);
            // One worker: two of them take turns at chance.
            let counts = [operations, 2 * operations]
                .map(|operations| lowest(&Child::new(curve, *size, operations, 1)));
            let [once, twice] = counts;
            let each = (twice? - once?) / operations as f64;
            println!("  {size:>9} {:<12} {each:.0}", curve.axis);
        }
        println!();
    }
    Ok(())
}

/// The lowest of three counts. Callgrind runs one thread at a time, and sometimes the order of two of them costs a fourth
/// of all instructions.
fn lowest(child: &Child) -> Result<f64, String> {
    let mut lowest = f64::INFINITY;
    for _ in 0..3 {
        lowest = lowest.min(instructions(child)?);
    }
    Ok(lowest)
}

fn instructions(child: &Child) -> Result<f64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(&child.0)
        .output()
        .map_err(|error| format!("cannot start valgrind: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    collected(&told).ok_or_else(|| format!("valgrind ended with {}: {told}", output.status))
}

/// The number in callgrind's line `==1== Collected : 123`.
fn collected(told: &str) -> Option<f64> {
    let (_, number) = told
        .lines()
        .find_map(|line| line.split_once("Collected : "))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_number_of_callgrind_is_found() {
        let told = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(told), Some(1_234_567.0));
        assert_eq!(collected("==7== Aborted"), None);
    }
}
