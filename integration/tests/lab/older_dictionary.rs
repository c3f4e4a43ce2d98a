//! Data dictionaries as an older server would have written them: expressions that this one can't even parse.
//!
//! A 9.7 makes the tables with HEX(), stops cleanly, and in the pages of `mysql.ibd` the name is replaced by one of the same
//! length. Serialised copies inside the tables' own files stay as they are: no server reads them to start.
//!
//! Page and checksum: storage/innobase/include/fil0types.h, buf/checksum.cc (`buf_calc_page_crc32`).

const PAGE: usize = 16 * 1024;
/// The flush LSN and the space id: in no checksum.
const UNCOVERED: std::ops::Range<usize> = 26..38;
const TRAILER: usize = 8;

/// In every place a column or a literal of its own, so that nothing else is touched.
const REPLACED: [(&[u8], &[u8]); 4] = [
    (b"hex(`to_md5`)", b"md5(`to_md5`)"),
    (b"hex(`to_sha`)", b"sha(`to_sha`)"),
    (b"hex(_utf8mb4", b"md5(_utf8mb4"),
    // A view's text.
    (b"hex(`old`.`seen`.`to_md5`)", b"md5(`old`.`seen`.`to_md5`)"),
];

/// The dictionary's own word on who wrote it: a server of a later series checks every object when it first starts.
const VERSIONS: [&[u8]; 4] = [
    b"MYSQLD_VERSION=",
    b"MYSQLD_VERSION_HI=",
    b"MYSQLD_VERSION_LO=",
    b"MYSQLD_VERSION_UPGRADED=",
];

/// Puts the removed functions in; gives the number of places.
pub fn put_functions(tablespace: &mut [u8]) -> usize {
    on_pages(tablespace, |page| {
        let places = REPLACED.iter().map(|(from, to)| replace(page, from, to));
        places.sum()
    })
}

/// Written by a server of this version (`80406`); gives the number of places.
pub fn date_back(tablespace: &mut [u8], version: &[u8; 5]) -> usize {
    on_pages(tablespace, |page| {
        let mut places = 0;
        for name in VERSIONS {
            for at in positions(page, name) {
                let digits = at + name.len()..at + name.len() + version.len();
                assert!(page[digits.clone()].iter().all(u8::is_ascii_digit));
                page[digits].copy_from_slice(version);
                places += 1;
            }
        }
        places
    })
}

fn on_pages(tablespace: &mut [u8], change: impl Fn(&mut [u8]) -> usize) -> usize {
    assert_eq!(tablespace.len() % PAGE, 0, "whole pages");
    let mut places = 0;
    for page in tablespace.chunks_exact_mut(PAGE) {
        let before = checksum(page);
        let found = change(page);
        if found == 0 {
            continue;
        }
        let (head, tail) = (0..4, PAGE - TRAILER..PAGE - TRAILER + 4);
        assert_eq!(page[head.clone()], before, "a checksum as crc32 writes it");
        let now = checksum(page);
        page[head].copy_from_slice(&now);
        page[tail].copy_from_slice(&now);
        places += found;
    }
    places
}

fn positions(page: &[u8], text: &[u8]) -> Vec<usize> {
    let all = page.windows(text.len()).enumerate();
    all.filter(|(_, here)| *here == text)
        .map(|(at, _)| at)
        .collect()
}

fn replace(page: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    assert_eq!(from.len(), to.len());
    let found = positions(page, from);
    for at in &found {
        page[*at..at + to.len()].copy_from_slice(to);
    }
    found.len()
}

fn checksum(page: &[u8]) -> [u8; 4] {
    let head = crc32c(&page[4..UNCOVERED.start]);
    let body = crc32c(&page[UNCOVERED.end..PAGE - TRAILER]);
    (head ^ body).to_be_bytes()
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
        })
    })
}
