using System.Text;
using Aries.TestKit;
using CsCheck;

namespace Aries.Core.Tests;

public class PromptJsonlTests
{
    [Fact]
    public void ReadAsync_AllForms_GivesPromptAnswerAndId()
    {
        PromptRecord[] records = Read(
            """
            {"prompt":"a"}
            {"question":"b","answer":"1 + 1 = 2\n#### 2"}
            {"prompt":[{"role":"system","content":"s"},{"role":"user","content":"c"}],"id":"x7"}
            {"prompt":"d","id":18446744073709551617}
            """);

        Assert.Equal(
            [
                new PromptRecord("a"),
                new PromptRecord("b", "1 + 1 = 2\n#### 2"),
                new PromptRecord(new Prompt([new(PromptRole.System, "s"), new(PromptRole.User, "c")]), null, "x7"),
                new PromptRecord("d", null, "18446744073709551617"),
            ],
            records);
    }

    [Fact]
    public void ReadAsync_UnicodeLineSeparatorInText_DoesNotSplit()
    {
        PromptRecord record = Assert.Single(Read("{\"prompt\":\"a\u2028b\"}"));

        Assert.Equal("a\u2028b", record.Prompt.Question);
    }

    [Theory]
    [InlineData("""{"text":"a"}""", "neither")]
    [InlineData("""{"prompt":"a","question":"b"}""", "both")]
    [InlineData("""{"prompt":"  \n"}""", "blank")]
    [InlineData("""{"prompt":"a","id":true}""", "id")]
    [InlineData("""{"prompt":"a","answer":7}""", "answer")]
    public void ReadAsync_Malformed_NamesTheLine(string line, string cause)
    {
        JsonlFormatException exception = Assert.Throws<JsonlFormatException>(() => Read("{\"prompt\":\"ok\"}\n" + line));

        Assert.Equal(2, exception.LineNumber);
        Assert.Contains(cause, exception.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadAsync_RandomBytes_ThrowsNothingButItsOwnException() =>
        Gen.OneOf(Gen.Byte.Array[0, 80], JsonlGenerators.Text.Select(text => Encoding.UTF8.GetBytes("{\"prompt\":" + text + "}"))).Sample(bytes =>
        {
            using MemoryStream stream = new(bytes);
            try
            {
                Assert.All(PromptJsonl.ReadAsync(stream, "s").ToBlockingEnumerable(), record => Assert.False(record.Prompt.IsBlank));
            }
            catch (JsonlFormatException exception)
            {
                Assert.Equal("s", exception.File);
            }
        });

    [Fact]
    public async Task ReadAsync_Gsm8kFile_GivesQuestionsWithGold()
    {
        string? folder = TestData.Shared("data");
        string? path = folder is null ? null : Directory.EnumerateFiles(folder, "*.jsonl", SearchOption.AllDirectories).FirstOrDefault(file => file.Contains("gsm8k", StringComparison.OrdinalIgnoreCase));
        Assert.SkipWhen(path is null, "The GSM8K data does not lie beside the checkout.");

        List<PromptRecord> records = await PromptJsonl.ReadAsync(path!, TestContext.Current.CancellationToken).Take(50).ToListAsync(TestContext.Current.CancellationToken);

        Assert.NotEmpty(records);
        Assert.All(records, record => Assert.Contains("####", record.Answer, StringComparison.Ordinal));
    }

    private static PromptRecord[] Read(string text)
    {
        using MemoryStream stream = new(Encoding.UTF8.GetBytes(text));
        return [.. PromptJsonl.ReadAsync(stream, "prompts.jsonl").ToBlockingEnumerable()];
    }
}
