using Aries.Preferences;

namespace Aries.Managed.Tests;

public class RowEncoderTests
{
    // KTO estimates its reference point from responses that do not answer the prompt: another pair of the same prompt will not do.
    [Fact]
    public void Pairs_NeighboursShareAPrompt_MismatchComesFromAnother()
    {
        PreferencePair[] pairs = [Pair("a", "1"), Pair("a", "2"), Pair("b", "3"), Pair("c", "4")];

        List<TrainingRow> rows = Encoder().Pairs(pairs, PairSequences.Direct | PairSequences.Mismatched, TestContext.Current.CancellationToken);

        string[] mismatched = [.. rows.Select(row => Text(row[PairSequence.Mismatched]))];
        Assert.Equal(["a3", "a3", "b4", "c1"], mismatched);
    }

    [Fact]
    public void Pairs_OnePromptOnly_Throws()
    {
        ArgumentException exception = Assert.Throws<ArgumentException>(
            () => Encoder().Pairs([Pair("a", "1"), Pair("a", "2")], PairSequences.Mismatched, TestContext.Current.CancellationToken));

        Assert.Contains("two prompts or more", exception.Message, StringComparison.Ordinal);
    }

    private static RowEncoder Encoder() => new(new CharacterEncoder(), RefinementTemplate.Default, maxLength: 100, TruncationRule.KeepStart);

    private static PreferencePair Pair(string prompt, string chosen) => new() { Prompt = prompt, Chosen = chosen, Rejected = "x" };

    private static string Text(TrainingSequence sequence) => string.Concat(sequence.Tokens.Select(token => (char)token));

    private sealed class CharacterEncoder : ISequenceEncoder
    {
        public long MovedBoundaryCount => 0;

        public TrainingSequence Encode(Prompt prompt, string response) =>
            new([.. (prompt.Question + response).Select(character => (int)character)], prompt.Question.Length);
    }
}
