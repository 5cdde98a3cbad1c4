namespace Aries.Core.Tests;

public sealed class SupervisedRowsTests : IDisposable
{
    private static readonly RefinementTemplate Template = new("{question}|{response}|");
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public async Task WriteAsync_Chat_GivesTrlsPromptCompletionRows()
    {
        SupervisedExample[] examples = [.. SupervisedExample.FromPairs([new PreferencePair { Prompt = "x", Chosen = "w", Rejected = "l" }])];

        await SupervisedRows.WriteAsync(_path, examples, Template, PreferenceJsonlForm.Chat, TestContext.Current.CancellationToken);

        Assert.Equal(
            [
                """{"prompt":[{"role":"user","content":"x"}],"completion":[{"role":"assistant","content":"w"}]}""",
                """{"prompt":[{"role":"user","content":"x|l|"}],"completion":[{"role":"assistant","content":"w"}]}""",
            ],
            await File.ReadAllLinesAsync(_path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task WriteAsync_PlainWithSeveralTurns_Throws()
    {
        Prompt prompt = new([new PromptTurn(PromptRole.System, "s"), new PromptTurn(PromptRole.User, "x")]);

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>(() => SupervisedRows.WriteAsync(
            _path, [new SupervisedExample { Prompt = prompt, Response = "w" }], Template, PreferenceJsonlForm.Plain, TestContext.Current.CancellationToken));

        Assert.Contains("2 turns", exception.Message, StringComparison.Ordinal);
    }
}
