namespace Aries.Core.Tests;

public class JsonlReaderTests
{
    [Fact]
    public async Task ReadAsync_EndlessLine_IsAnErrorBeforeItFillsTheMemory()
    {
        using EndlessStream stream = new();

        JsonlFormatException exception = await Assert.ThrowsAsync<JsonlFormatException>(
            async () => await PromptJsonl.ReadAsync(stream, "endless", TestContext.Current.CancellationToken).CountAsync(TestContext.Current.CancellationToken));

        Assert.Equal(2, exception.LineNumber);
        Assert.InRange(stream.ReadBytes, 1, 3L * JsonlReader.MaxLineLength);
    }

    /// <summary>One good line, then a line that never ends.</summary>
    private sealed class EndlessStream : MemoryStream
    {
        private static ReadOnlySpan<byte> First => "{\"prompt\":\"a\"}\n"u8;

        public long ReadBytes { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = ReadBytes == 0 ? First.Length : buffer.Length;
            if (ReadBytes == 0)
            {
                First.CopyTo(buffer.Span);
            }
            else
            {
                buffer.Span.Fill((byte)'x');
            }

            ReadBytes += count;
            return ValueTask.FromResult(count);
        }
    }
}
