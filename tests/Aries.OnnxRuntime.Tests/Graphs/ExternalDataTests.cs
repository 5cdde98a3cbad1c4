using System.Runtime.InteropServices;
using Aries.OnnxRuntime.Graphs;

namespace Aries.OnnxRuntime.Tests;

public sealed class ExternalDataTests
{
    // A span of bytes ends at 2 GiB, and the embedding of a large vocabulary does not. Nobody writes to the array, so it takes no memory.
    [Fact]
    public void Write_TensorOverTwoGibibytes_IsWrittenWhole()
    {
        const int Count = (1 << 29) + 3;
        using CountingStream stream = new();

        TensorProto tensor = new ExternalData(stream, "data", OnnxFloatType.Float32).Write("embedding", new float[Count], Count);

        Assert.Equal(4L * Count, stream.Length);
        Assert.Equal((4L * Count).ToString(System.Globalization.CultureInfo.InvariantCulture), tensor.ExternalData.Single(item => item.Key == "length").Value);
    }

    // Longer than a piece, and no multiple of one.
    [Theory]
    [InlineData(OnnxFloatType.Float32)]
    [InlineData(OnnxFloatType.Float16)]
    [InlineData(OnnxFloatType.BFloat16)]
    public void Write_TensorOfManyPieces_IsTheBytesOfItsValues(OnnxFloatType type)
    {
        Random random = new(3);
        float[] values = [.. Enumerable.Range(0, (5 << 20) + 17).Select(_ => random.NextSingle() - 0.5f)];
        using MemoryStream stream = new();
        ExternalData data = new(stream, "data", type);

        data.Write("values", values, values.Length);

        byte[] expected = type switch
        {
            OnnxFloatType.Float16 => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, value => (Half)value)).ToArray(),
            OnnxFloatType.BFloat16 => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, BFloat16Bits.Round)).ToArray(),
            _ => MemoryMarshal.AsBytes<float>(values).ToArray(),
        };
        Assert.True(expected.AsSpan().SequenceEqual(stream.GetBuffer().AsSpan(0, (int)stream.Length)));
    }

    // Of a file only how long it is.
    private sealed class CountingStream : Stream
    {
        private long _length;

        public override bool CanRead => false;

        public override bool CanSeek => true;

        public override bool CanWrite => true;

        public override long Length => _length;

        public override long Position { get => _length; set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer) => _length += buffer.Length;

        public override void Write(byte[] buffer, int offset, int count) => _length += count;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
