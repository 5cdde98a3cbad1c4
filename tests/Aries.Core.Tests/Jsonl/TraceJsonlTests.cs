using System.Buffers;
using System.Text;
using CsCheck;

namespace Aries.Core.Tests;

public class TraceJsonlTests
{
    [Fact]
    public void ParseLine_WrittenTrace_IsTheSameTraceAndTheSameBytes() => JsonlGenerators.Trace.Sample(trace =>
    {
        byte[] line = Serialize(trace);

        RefinementTrace read = TraceJsonl.ParseLine(line, "traces.jsonl", 1);

        Assert.Equal(trace with { Steps = [] }, read with { Steps = [] }, SameButSteps);
        Assert.Equal(trace.Steps, read.Steps);
        Assert.Equal(line, Serialize(read));
        Assert.Equal(line.Length - 1, Array.IndexOf(line, (byte)'\n'));
    });

    [Fact]
    public void WriteLine_KnownTrace_HasTheDocumentedForm()
    {
        RefinementTrace trace = new()
        {
            Id = "p1",
            Prompt = "2+2?",
            Steps =
            [
                new TraceStep { Text = "4", Usage = new TokenUsage(12, 7, CachedPromptTokens: 5), Score = new RewardScore(0.5) },
                new TraceStep { Text = "é\n", Kind = RefinementStepKind.Feedback, FinishReason = FinishReason.Length },
            ],
            StopReason = RefinementStopReason.Completed,
        };

        string line = Encoding.UTF8.GetString(Serialize(trace));

        Assert.Equal(
            """{"id":"p1","prompt":"2+2?","steps":[{"kind":"draft","text":"4","finish":"stop","prompt_tokens":12,"response_tokens":7,"score":0.5},{"kind":"feedback","text":"é\n","finish":"length","prompt_tokens":0,"response_tokens":0}],"stop":"completed"}""" + "\n",
            line);
    }

    [Fact]
    public void ParseLine_LoneSurrogate_BecomesTheReplacementCharacter()
    {
        RefinementTrace trace = new() { Id = "a", Prompt = "x", Steps = [new TraceStep { Text = "a\uD83D" }] };

        RefinementTrace read = TraceJsonl.ParseLine(Serialize(trace), "t", 1);

        Assert.Equal("a\uFFFD", read.Steps[0].Text);
    }

    [Theory]
    [InlineData("""{"id":"a","prompt":"x"}""", "steps")]
    [InlineData("""{"id":"a","prompt":"x","steps":{}}""", "steps")]
    [InlineData("""{"id":"a","prompt":"x","steps":[1]}""", "steps")]
    [InlineData("""{"prompt":"x","steps":[]}""", "id")]
    [InlineData("""{"id":"a","prompt":[],"steps":[]}""", "prompt")]
    [InlineData("""{"id":"a","prompt":[{"role":"assistant","content":"x"}],"steps":[]}""", "turn of the user")]
    [InlineData("""{"id":"a","prompt":[{"role":"tool","content":"x"}],"steps":[]}""", "tool")]
    [InlineData("""{"id":"a","prompt":"x","steps":[],"stop":"bored"}""", "bored")]
    [InlineData("""{"id":"a","prompt":"x","steps":[{"kind":"draft","text":"y","finish":"stop","prompt_tokens":-1}]}""", "prompt_tokens")]
    [InlineData("""{"id":"a","prompt":"x","steps":[{"kind":"draft","text":"y","finish":"stop","score":1e999}]}""", "score")]
    [InlineData("""{"id":"a","id":"b","prompt":"x","steps":[]}""", "JSON")]
    [InlineData("""{"id":"\ud800","prompt":"x","steps":[]}""", "Unicode")]
    [InlineData("""[1]""", "object")]
    [InlineData("""{"id":"a","prompt":"x","steps":[]""", "JSON")]
    public void ParseLine_Malformed_NamesFileLineAndCause(string line, string cause)
    {
        JsonlFormatException exception = Assert.Throws<JsonlFormatException>(() => TraceJsonl.ParseLine(Encoding.UTF8.GetBytes(line), "traces.jsonl", 7));

        Assert.Equal("traces.jsonl", exception.File);
        Assert.Equal(7, exception.LineNumber);
        Assert.Contains("traces.jsonl, line 7", exception.Message, StringComparison.Ordinal);
        Assert.Contains(cause, exception.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ParseLine_MutatedBytes_ThrowsNothingButItsOwnException() =>
        Gen.Select(JsonlGenerators.Trace, Gen.Select(Gen.Int[0, int.MaxValue], Gen.Byte).Array[1, 6]).Sample((trace, changes) =>
        {
            byte[] line = Serialize(trace);
            foreach ((int position, byte value) in changes)
            {
                line[position % line.Length] = value;
            }

            try
            {
                RefinementTrace read = TraceJsonl.ParseLine(line, "t", 1);
                Assert.NotNull(read.Id);
            }
            catch (JsonlFormatException exception)
            {
                Assert.Equal(1, exception.LineNumber);
            }
        });

    [Fact]
    public void ReadAsync_RandomChunks_GivesEveryLine() =>
        Gen.Select(JsonlGenerators.Trace.Array[0, 12], Gen.Int[1, 40], Gen.Bool).Sample((traces, chunk, endsWithNewline) =>
        {
            byte[] bytes = [.. traces.SelectMany(Serialize)];
            using ChunkedStream stream = new(endsWithNewline || bytes.Length == 0 ? bytes : bytes[..^1], chunk);

            List<RefinementTrace> read = TraceJsonl.ReadAsync(stream, "t").ToBlockingEnumerable().ToList();

            Assert.Equal(bytes, read.SelectMany(Serialize).ToArray());
        });

    [Fact]
    public async Task ReadAsync_BlankLinesMarkAndCarriageReturns_AreAccepted()
    {
        byte[] bytes = [0xEF, 0xBB, 0xBF, .. "{\"id\":\"a\",\"prompt\":\"x\",\"steps\":[]}\r\n  \r\n\n{\"id\":\"b\",\"prompt\":\"x\",\"steps\":[]}"u8];
        using MemoryStream stream = new(bytes);

        List<string> ids = await TraceJsonl.ReadAsync(stream, "t", TestContext.Current.CancellationToken).Select(trace => trace.Id).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(["a", "b"], ids);
    }

    [Fact]
    public async Task ReadAsync_BrokenThirdLine_GivesTwoAndThenNamesIt()
    {
        using MemoryStream stream = new([.. Serialize(Simple("a")), .. Serialize(Simple("b")), .. "{\n"u8, .. Serialize(Simple("c"))]);
        List<string> ids = [];

        JsonlFormatException exception = await Assert.ThrowsAsync<JsonlFormatException>(async () =>
        {
            await foreach (RefinementTrace trace in TraceJsonl.ReadAsync(stream, "t", TestContext.Current.CancellationToken))
            {
                ids.Add(trace.Id);
            }
        });

        Assert.Equal(["a", "b"], ids);
        Assert.Equal(3, exception.LineNumber);
    }

    [Fact]
    public async Task ReadAsync_CancelledToken_Throws()
    {
        using MemoryStream stream = new(Serialize(Simple("a")));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await TraceJsonl.ReadAsync(stream, "t", new CancellationToken(true)).CountAsync(CancellationToken.None));
    }

    private static RefinementTrace Simple(string id) => new() { Id = id, Prompt = "x" };

    private static bool SameButSteps(RefinementTrace a, RefinementTrace b) =>
        (a.Id, a.Prompt, a.StopReason, a.Error) == (b.Id, b.Prompt, b.StopReason, b.Error);

    private static byte[] Serialize(RefinementTrace trace)
    {
        ArrayBufferWriter<byte> output = new();
        TraceJsonl.WriteLine(output, trace);
        return output.WrittenSpan.ToArray();
    }

    private sealed class ChunkedStream(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(chunk, buffer.Length)], cancellationToken);
    }
}
