using System.Globalization;
using System.Text.RegularExpressions;

namespace Aries;

/// <summary>Self-Refine: the policy remarks on its answer, then rewrites it by its own remarks.</summary>
/// <remarks>
/// Madaan et al. 2023, <see href="https://arxiv.org/abs/2303.17651"/>, Algorithm 1. A departure: a rewrite sees the last answer and its remarks, not
/// the whole history, so that a prompt's length does not grow with the turns. Wording of the templates: ours.
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently, if <see cref="SelfRefineOptions.StopWhen"/> may.</threadsafety>
public sealed partial class SelfRefine : IRefinementStrategy
{
    private readonly SelfRefineOptions _options;
    private readonly SlotTemplate _feedback;
    private readonly SlotTemplate _rewrite;

    /// <summary>Creates the strategy.</summary>
    /// <param name="options">How it asks; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException">An option is outside its range.</exception>
    public SelfRefine(SelfRefineOptions? options = null)
    {
        options ??= new SelfRefineOptions();
        options.Validate();
        _options = options with { };
        _feedback = _options.CreateFeedbackTemplate();
        _rewrite = _options.CreateRewriteTemplate();
    }

    /// <summary>Makes a stop rule for <see cref="SelfRefineOptions.StopWhen"/>: the last "Rating: N/10" of the remarks is high enough.</summary>
    /// <param name="rating">The least rating that ends the chain, 0 to 10.</param>
    /// <returns>A rule that is false where the remarks hold no rating.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="rating"/> is outside 0 to 10.</exception>
    public static Func<string, bool> RatingAtLeast(double rating)
    {
        if (!(rating >= 0 && rating <= 10))
        {
            throw new ArgumentOutOfRangeException(nameof(rating), rating, "A rating is from 0 to 10.");
        }

        return feedback => RatingPattern().Match(feedback) is { Success: true } match
            && double.Parse(match.Groups[1].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture) >= rating;
    }

    /// <inheritdoc />
    public RefinementStep? NextStep(RefinementTrace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        if (trace.Steps.Count == 0)
        {
            return new RefinementStep(trace.Prompt) { IsLast = _options.TurnCount == 1 };
        }

        TraceStep last = trace.Steps[^1];
        int turnCount = (trace.Steps.Count + 1) / 2;
        if (last.Kind == RefinementStepKind.Draft)
        {
            return turnCount >= _options.TurnCount
                ? null
                : new RefinementStep(trace.Prompt.WithQuestion(_feedback.Fill(trace.Prompt.Question, last.Text))) { Kind = RefinementStepKind.Feedback };
        }

        return _options.StopWhen?.Invoke(last.Text) == true
            ? null
            : new RefinementStep(trace.Prompt.WithQuestion(_rewrite.Fill(trace.Prompt.Question, trace.Steps[^2].Text, last.Text)))
            {
                IsLast = turnCount == _options.TurnCount - 1,
            };
    }

    /// <summary>Returns the name and every setting that changes a chain, but for what a stop rule does.</summary>
    public override string ToString() =>
        $"{nameof(SelfRefine)} {{ TurnCount = {_options.TurnCount}, StopWhen = {(_options.StopWhen is null ? "none" : "set")}, FeedbackTemplate = \"{_options.FeedbackTemplate}\", RewriteTemplate = \"{_options.RewriteTemplate}\" }}";

    [GeneratedRegex(@"Rating:\s*([0-9]{1,2}(?:\.[0-9]{1,4})?)\s*/\s*10(?![0-9])", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.RightToLeft)]
    private static partial Regex RatingPattern();
}
