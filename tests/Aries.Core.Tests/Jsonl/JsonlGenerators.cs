using CsCheck;

namespace Aries.Core.Tests;

/// <summary>Random values for the file tests; texts are valid Unicode with many characters that JSON or line splitting could trip over.</summary>
internal static class JsonlGenerators
{
    private static readonly string[] Awkward = ["", " ", "\n", "\r\n", "\"", "\\", "\u2028", "\u0085", "😀", "é", "\0", "{question}", "<|im_end|>"];

    public static readonly Gen<string> Text = Gen.OneOf(
        Gen.Int[0, Awkward.Length - 1].Select(index => Awkward[index]),
        Gen.String[Gen.Char['\u0001', '\uD7FF'], 0, 12]).Array[0, 4].Select(string.Concat);

    public static readonly Gen<Prompt> Prompt = Gen.Select(
        Gen.Select(Gen.Enum<PromptRole>(), Text).Array[0, 3], Text,
        (turns, question) => new Prompt([.. turns.Select(turn => new PromptTurn(turn.Item1, turn.Item2)), new PromptTurn(PromptRole.User, question)]));

    public static readonly Gen<RewardScore?> Score = Gen.OneOf(
        Gen.Const((RewardScore?)null),
        Gen.Double.Where(double.IsFinite).Select(value => (RewardScore?)new RewardScore(value)),
        Gen.Select(Gen.Double.Where(double.IsFinite), Text, (value, note) => (RewardScore?)new RewardScore(value, note)),
        Gen.Const((RewardScore?)default(RewardScore)),
        Text.Select(text => (RewardScore?)RewardScore.Invalid(text + "x")));

    public static readonly Gen<TokenUsage> Usage = Gen.Select(
        Gen.Long[0, long.MaxValue], Gen.Long[0, 5000], (prompt, response) => new TokenUsage(prompt, response));

    public static readonly Gen<TraceStep> Step = Gen.Select(
        Gen.Enum<RefinementStepKind>(), Text, Gen.Enum<FinishReason>(), Usage, Score,
        (kind, text, finish, usage, score) => new TraceStep { Kind = kind, Text = text, FinishReason = finish, Usage = usage, Score = score });

    public static readonly Gen<RefinementTrace> Trace = Gen.Select(
        Text, Prompt, Step.Array[0, 4], Gen.Enum<RefinementStopReason>(), Gen.Bool, Gen.Null(Text),
        (id, prompt, steps, stop, stopped, error) => new RefinementTrace
        {
            Id = id,
            Prompt = prompt,
            Steps = steps,
            StopReason = stopped ? stop : null,
            Error = error,
        });

    public static readonly Gen<PreferencePair> Pair = Gen.Select(
        Prompt, Text, Text, Gen.Nullable(Gen.Double.Where(double.IsFinite)), Gen.Double[0.001, 1], Gen.Null(Text),
        (prompt, chosen, rejected, score, probability, id) => new PreferencePair
        {
            Prompt = prompt,
            Chosen = chosen,
            Rejected = rejected,
            ChosenScore = score,
            RejectedScore = -score,
            ChosenProbability = probability,
            TraceId = id,
        });
}
