//! Writes the seeds of the fuzz targets, `fuzz/seeds/TARGET/*`, anew out of the transcripts.

use std::{fs, io, path::Path};

use aemp_tests::fuzz::seeds;

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (target, seeds) in seeds::all() {
        let folder = folder.join(target);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        for (name, seed) in &seeds {
            fs::write(folder.join(name), seed)?;
        }
        let octets: usize = seeds.values().map(Vec::len).sum();
        println!("{target}: {} seeds, {octets} octets", seeds.len());
    }
    Ok(())
}
