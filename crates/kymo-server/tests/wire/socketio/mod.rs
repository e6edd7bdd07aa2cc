//! The Socket.IO door: Engine.IO on both transports, what clients say and are given, and clients that misbehave.
mod asking;
mod engine;
mod misuse;
mod reading;
mod recovery;
