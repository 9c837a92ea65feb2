//! The codec of the generated services: protobuf, where a body that is none is the client's mistake and said to be so.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

use crate::convert::Violations;
use crate::error::Failure;

/// Protobuf as tonic has it, but for the status of a body that cannot be read (INTERNAL there).
#[derive(Debug, Clone)]
pub struct ProtobufCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for ProtobufCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for ProtobufCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProtobufDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProtobufDecoder(ProstDecoder::new(BufferSettings::default()))
    }
}

/// Reads a message.
#[derive(Debug)]
pub struct ProtobufDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for ProtobufDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // What prost says of the fault may quote the message; the client knows what it sent.
        self.0.decode(buf).map_err(|_| Failure::Invalid(Violations::unreadable()).into())
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
