using System.Buffers;
using System.Text;
using CsCheck;

namespace Aries.Core.Tests;

public class PreferenceJsonlTests
{
    private static readonly PreferencePair Simple = new() { Prompt = "2+2?", Chosen = "4", Rejected = "5", ChosenScore = 1, RejectedScore = -0.5, TraceId = "a" };

    [Fact]
    public void ParseLine_WrittenPair_IsTheSamePair() => JsonlGenerators.Pair.Sample(pair =>
    {
        PreferencePair chat = PreferenceJsonl.ParseLine(Serialize(pair, new() { Form = PreferenceJsonlForm.Chat }), "p", 1);
        PreferencePair plainPair = pair with { Prompt = pair.Prompt.Question };
        PreferencePair plain = PreferenceJsonl.ParseLine(Serialize(plainPair), "p", 1);

        Assert.Equal(pair, chat);
        Assert.Equal(plainPair, plain);
    });

    [Fact]
    public void WriteLine_PlainForm_IsTrlStandardFormat()
    {
        string line = Encoding.UTF8.GetString(Serialize(Simple));

        Assert.Equal("""{"prompt":"2+2?","chosen":"4","rejected":"5","score_chosen":1,"score_rejected":-0.5,"chosen_probability":1,"trace_id":"a"}""" + "\n", line);
    }

    [Fact]
    public void WriteLine_ChatFormWithoutDetails_IsTrlConversationalFormat()
    {
        string line = Encoding.UTF8.GetString(Serialize(Simple, new() { Form = PreferenceJsonlForm.Chat, IncludeDetails = false }));

        Assert.Equal(
            """{"prompt":[{"role":"user","content":"2+2?"}],"chosen":[{"role":"assistant","content":"4"}],"rejected":[{"role":"assistant","content":"5"}]}""" + "\n",
            line);
    }

    [Fact]
    public void WriteLine_NoScores_KeepsTheColumns()
    {
        string line = Encoding.UTF8.GetString(Serialize(new() { Prompt = "x", Chosen = "a", Rejected = "b" }));

        Assert.Contains("\"score_chosen\":null,\"score_rejected\":null", line, StringComparison.Ordinal);
        Assert.Contains("\"trace_id\":null", line, StringComparison.Ordinal);
    }

    [Fact]
    public void WriteLine_PlainFormWithSeveralTurns_ThrowsAndWritesNothing()
    {
        ArrayBufferWriter<byte> output = new();
        PreferencePair pair = Simple with { Prompt = new Prompt([new(PromptRole.System, "s"), new(PromptRole.User, "q")]) };

        ArgumentException exception = Assert.Throws<ArgumentException>(() => PreferenceJsonl.WriteLine(output, pair));

        Assert.Contains("2 turns", exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, output.WrittenCount);
    }

    [Fact]
    public void WriteLine_UnknownForm_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PreferenceJsonl.WriteLine(new ArrayBufferWriter<byte>(), Simple, new() { Form = (PreferenceJsonlForm)9 }));

    [Theory]
    [InlineData("""{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}]}""")]
    [InlineData("""{"prompt":"q","chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"b"}],"source":3}""")]
    [InlineData("""{"prompt":[{"role":"user","content":"q"}],"chosen":"a","rejected":[{"role":"assistant","content":"b"}]}""")]
    [InlineData("""{"prompt":"q","chosen":"a","rejected":"b","score_chosen":null}""")]
    public void ParseLine_OtherFormsOfTrl_GiveThePair(string line)
    {
        PreferencePair pair = PreferenceJsonl.ParseLine(Encoding.UTF8.GetBytes(line), "p", 1);

        Assert.Equal(new PreferencePair { Prompt = "q", Chosen = "a", Rejected = "b" }, pair);
    }

    [Theory]
    [InlineData("""{"prompt":"q","chosen":"a"}""", "rejected")]
    [InlineData("""{"chosen":"a","rejected":"b"}""", "prompt")]
    [InlineData("""{"prompt":"q","chosen":5,"rejected":"b"}""", "chosen")]
    [InlineData("""{"prompt":"q","chosen":[],"rejected":"b"}""", "chosen")]
    [InlineData("""{"prompt":"q","chosen":[{"role":"user","content":"a"}],"rejected":"b"}""", "chosen")]
    [InlineData("""{"prompt":"other","chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":"b"}""", "differ")]
    [InlineData("""{"chosen":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"z"},{"role":"assistant","content":"a"}]}""", "differ")]
    [InlineData("""{"prompt":"q","chosen":"a","rejected":"b","chosen_probability":0}""", "chosen_probability")]
    [InlineData("""{"prompt":"q","chosen":"a","rejected":"b","score_chosen":"high"}""", "score_chosen")]
    [InlineData("""not json""", "JSON")]
    public void ParseLine_Malformed_NamesFileLineAndCause(string line, string cause)
    {
        JsonlFormatException exception = Assert.Throws<JsonlFormatException>(() => PreferenceJsonl.ParseLine(Encoding.UTF8.GetBytes(line), "pairs.jsonl", 3));

        Assert.Contains("pairs.jsonl, line 3", exception.Message, StringComparison.Ordinal);
        Assert.Contains(cause, exception.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ParseLine_MutatedBytes_ThrowsNothingButItsOwnException() =>
        Gen.Select(JsonlGenerators.Pair, Gen.Select(Gen.Int[0, int.MaxValue], Gen.Byte).Array[1, 6]).Sample((pair, changes) =>
        {
            byte[] line = Serialize(pair, new() { Form = PreferenceJsonlForm.Chat });
            foreach ((int position, byte value) in changes)
            {
                line[position % line.Length] = value;
            }

            try
            {
                Assert.NotNull(PreferenceJsonl.ParseLine(line, "p", 1).Chosen);
            }
            catch (JsonlFormatException exception)
            {
                Assert.Equal("p", exception.File);
            }
        });

    [Fact]
    public void ParseLine_RandomBytes_ThrowsItsOwnException() => Gen.Byte.Array[0, 60].Sample(bytes =>
    {
        Assert.Throws<JsonlFormatException>(() => PreferenceJsonl.ParseLine(bytes, "p", 1));
    });

    [Fact]
    public async Task WriteAsync_File_ReadsBackAndLeavesNothingBeside()
    {
        string folder = Directory.CreateTempSubdirectory("aries").FullName;
        string path = Path.Combine(folder, "pairs.jsonl");
        PreferencePair[] pairs = [Simple, Simple with { TraceId = "b" }];

        await PreferenceJsonl.WriteAsync(path, pairs, cancellationToken: TestContext.Current.CancellationToken);
        List<PreferencePair> read = await PreferenceJsonl.ReadAsync(path, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal(pairs, read);
        Assert.Equal([path], Directory.GetFiles(folder));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task WriteAsync_FailsMidway_KeepsTheOldFile()
    {
        string folder = Directory.CreateTempSubdirectory("aries").FullName;
        string path = Path.Combine(folder, "pairs.jsonl");
        await File.WriteAllTextAsync(path, "old", TestContext.Current.CancellationToken);
        PreferencePair[] pairs = [Simple, Simple with { Prompt = new Prompt([new(PromptRole.System, "s"), new(PromptRole.User, "q")]) }];

        await Assert.ThrowsAsync<ArgumentException>(() => PreferenceJsonl.WriteAsync(path, pairs, cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal("old", await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken));
        Assert.Equal([path], Directory.GetFiles(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static byte[] Serialize(PreferencePair pair, PreferenceJsonlOptions? options = null)
    {
        ArrayBufferWriter<byte> output = new();
        PreferenceJsonl.WriteLine(output, pair, options);
        return output.WrittenSpan.ToArray();
    }
}
