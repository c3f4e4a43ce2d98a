//! Compiles every `.proto` below `proto/` into OUT_DIR, without protoc, and keeps the descriptors for gRPC reflection.

use protox::prost::Message;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const ROOT: &str = "proto";

fn main() -> Result<(), Box<dyn Error>> {
    // A directory here means everything below it, new files included.
    println!("cargo::rerun-if-changed={ROOT}");
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();

    let descriptors = protox::compile(&files, [ROOT])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Maps in one order, so that the same value always has the same bytes.
        .btree_map(".")
        .include_file("packages.rs")
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}
