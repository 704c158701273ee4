//! The `aws-chunked` coding: pieces with their sizes, perhaps signed one after the other, then trailing headers.
//!
//! ```text
//! 400;chunk-signature=<64 digits>\r\n<1024 bytes>\r\n … 0;chunk-signature=…\r\n
//! x-amz-checksum-crc32:<base64>\r\n x-amz-trailer-signature:<64 digits>\r\n \r\n
//! ```
//!
//! Decodes as bytes come and keeps no more than one line. Pieces are checked when they end, after their bytes were handed
//! on: whoever takes them must not use them before the end of the whole is reached.

use sha2::{Digest, Sha256};

use crate::server::signature::{ChunkSignatures, sha256_hex};

/// Longest line between pieces.
const LONGEST_LINE: usize = 8_192;
/// Most trailing headers.
const MOST_TRAILERS: usize = 16;

/// Why a body can't be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkFault {
    /// It has not the form.
    Malformed(&'static str),
    /// A piece is not what was signed.
    Signature,
}

enum State {
    /// In the line that tells the size of a piece.
    Size(Vec<u8>),
    /// In a piece, with bytes that are to come.
    Data(u64),
    /// In the line end after a piece.
    End(Vec<u8>),
    /// In the trailing headers.
    Trailer(Vec<u8>),
    /// Behind all.
    Done,
}

/// Decodes one body.
pub(super) struct ChunkDecoder {
    state: State,
    signatures: Option<ChunkSignatures>,
    /// Hash of the piece so far, and what its signature is said to be.
    piece: Option<(Sha256, String)>,
    trailers: Vec<(String, String)>,
}

impl ChunkDecoder {
    /// Starts before the first piece; `signatures` verify them.
    pub(super) fn new(signatures: Option<ChunkSignatures>) -> Self {
        Self { state: State::Size(Vec::new()), signatures, piece: None, trailers: Vec::new() }
    }

    /// Takes bytes of the body and hands on those of the object.
    pub(super) fn decode(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), ChunkFault> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Data(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, rest) = bytes.split_at(count);
                    if let Some((hash, _)) = &mut self.piece {
                        hash.update(data);
                    }
                    take(data);
                    *left -= count as u64;
                    bytes = rest;
                    if *left == 0 {
                        self.check_piece()?;
                        self.state = State::End(Vec::new());
                    }
                }
                State::Size(line) | State::End(line) | State::Trailer(line) => match take_line(line, bytes)? {
                    None => return Ok(()),
                    Some((whole, rest)) => {
                        bytes = rest;
                        self.line(&whole)?;
                    }
                },
                State::Done => return Err(ChunkFault::Malformed("bytes follow the last piece")),
            }
        }
        Ok(())
    }

    /// The trailing headers, once all was decoded.
    pub(super) fn finish(self) -> Result<Vec<(String, String)>, ChunkFault> {
        match self.state {
            State::Done => Ok(self.trailers),
            _ => Err(ChunkFault::Malformed("the body ends before the last piece")),
        }
    }

    /// A whole line, without its end.
    fn line(&mut self, line: &[u8]) -> Result<(), ChunkFault> {
        let text = std::str::from_utf8(line).map_err(|_| ChunkFault::Malformed("a line between pieces is not text"))?;
        match self.state {
            State::Size(_) => self.start_piece(text),
            State::End(_) if text.is_empty() => {
                self.state = State::Size(Vec::new());
                Ok(())
            }
            State::End(_) => Err(ChunkFault::Malformed("a piece is longer than its size")),
            State::Trailer(_) if text.is_empty() => self.end(),
            _ => {
                let (name, value) = text.split_once(':').ok_or(ChunkFault::Malformed("a trailing header has no colon"))?;
                if self.trailers.len() == MOST_TRAILERS {
                    return Err(ChunkFault::Malformed("there are too many trailing headers"));
                }
                self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                self.state = State::Trailer(Vec::new());
                Ok(())
            }
        }
    }

    fn start_piece(&mut self, line: &str) -> Result<(), ChunkFault> {
        let (size, extension) = line.split_once(';').map_or((line, ""), |(size, extension)| (size, extension));
        let is_hex = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_hex.then(|| u64::from_str_radix(size, 16).ok()).flatten();
        let size = size.ok_or(ChunkFault::Malformed("the size of a piece is not a hexadecimal number"))?;
        if self.signatures.is_some() {
            let signature = extension.trim().strip_prefix("chunk-signature=").ok_or(ChunkFault::Signature)?;
            self.piece = Some((Sha256::new(), signature.to_owned()));
        }
        if size == 0 {
            self.check_piece()?;
            self.state = State::Trailer(Vec::new());
        } else {
            self.state = State::Data(size);
        }
        Ok(())
    }

    fn check_piece(&mut self) -> Result<(), ChunkFault> {
        let (Some(signatures), Some((hash, signature))) = (&mut self.signatures, self.piece.take()) else { return Ok(()) };
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if signatures.accepts_chunk(&hash, &signature) { Ok(()) } else { Err(ChunkFault::Signature) }
    }

    fn end(&mut self) -> Result<(), ChunkFault> {
        self.state = State::Done;
        let signature = self.trailers.iter().position(|(name, _)| name == "x-amz-trailer-signature");
        let signature = signature.map(|at| self.trailers.remove(at).1);
        let Some(signatures) = &mut self.signatures else { return Ok(()) };
        match signature {
            None if self.trailers.is_empty() => Ok(()),
            Some(signature) => {
                let text: String = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
                if signatures.accepts_trailer(&sha256_hex(text.as_bytes()), &signature) { Ok(()) } else { Err(ChunkFault::Signature) }
            }
            None => Err(ChunkFault::Signature),
        }
    }
}

/// A line without its end, and the bytes behind it.
type WholeLine<'a> = (Vec<u8>, &'a [u8]);

/// Adds bytes to a line; once it is whole, returns it without its end, and the bytes behind it.
fn take_line<'a>(line: &mut Vec<u8>, bytes: &'a [u8]) -> Result<Option<WholeLine<'a>>, ChunkFault> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let taken = end.map_or(bytes.len(), |end| end + 1);
    if line.len() + taken > LONGEST_LINE {
        return Err(ChunkFault::Malformed("a line between pieces is too long"));
    }
    line.extend_from_slice(&bytes[..taken]);
    if end.is_none() {
        return Ok(None);
    }
    let mut whole = std::mem::take(line);
    whole.pop();
    if whole.pop_if(|last| *last == b'\r').is_none() {
        return Err(ChunkFault::Malformed("a line does not end in CR LF"));
    }
    Ok(Some((whole, &bytes[taken..])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    type Decoded = (Vec<u8>, Vec<(String, String)>);

    fn decoded(body: &[u8], step: usize) -> Result<Decoded, ChunkFault> {
        let mut decoder = ChunkDecoder::new(None);
        let mut found = Vec::new();
        for piece in body.chunks(step) {
            decoder.decode(piece, |bytes| found.extend_from_slice(bytes))?;
        }
        Ok((found, decoder.finish()?))
    }

    #[test]
    fn pieces_are_put_together_however_they_arrive() {
        let body = b"5\r\nhello\r\nA;chunk-signature=00\r\n, \r\n\x00world\r\n0\r\nX-Amz-Checksum-Crc32: abc= \r\n\r\n";
        for step in [1, 2, 3, 7, body.len()] {
            let (bytes, trailers) = decoded(body, step).unwrap();
            assert_eq!(bytes, b"hello, \r\n\x00world", "{step}");
            assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "abc=".to_owned())]);
        }
        assert_eq!(decoded(b"0\r\n\r\n", 1).unwrap(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_cut_or_altered_is_refused() {
        for bad in [
            &b""[..],
            b"5\r\nhel",
            b"5\r\nhello\r\n",
            b"5\r\nhello\r\n0\r\n",
            b"5\r\nhello!\r\n0\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"\r\n\r\n",
            b"fffffffffffffffff\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\n\r\nmore",
            b"0\r\n\xff\r\n\r\n",
        ] {
            assert!(decoded(bad, 4).is_err(), "{}", bad.escape_ascii());
        }
        assert!(decoded(&[b'0'; LONGEST_LINE + 1], 100).is_err());
    }
}
