namespace Aries;

/// <summary>Chooses the answer among the drafts of a chain.</summary>
internal static class AnswerChoice
{
    /// <summary>Returns the index of the answer, or null where there is no draft.</summary>
    public static int? Choose(IReadOnlyList<TraceStep> drafts, SelfRefinerOptions options) => drafts.Count == 0 ? null : options.FinalAnswer switch
    {
        FinalAnswer.BestScored => BestScored(drafts),
        FinalAnswer.MajorityVote => MajorityVote(drafts, options.AnswerExtractor!),
        FinalAnswer.FirstAboveThreshold => FirstAbove(drafts, options.ScoreThreshold!.Value) ?? BestScored(drafts),
        _ => drafts.Count - 1,
    };

    private static int BestScored(IReadOnlyList<TraceStep> drafts)
    {
        int? best = null;
        for (int index = 0; index < drafts.Count; index++)
        {
            if (drafts[index].Score is { IsValid: true } score && (best is null || score.Value >= drafts[best.Value].Score!.Value.Value))
            {
                best = index;
            }
        }

        return best ?? drafts.Count - 1;
    }

    private static int? FirstAbove(IReadOnlyList<TraceStep> drafts, double threshold)
    {
        for (int index = 0; index < drafts.Count; index++)
        {
            if (drafts[index].Score is { IsValid: true } score && score.Value >= threshold)
            {
                return index;
            }
        }

        return null;
    }

    private static int MajorityVote(IReadOnlyList<TraceStep> drafts, IAnswerExtractor extractor)
    {
        Dictionary<string, (int Votes, int Latest)> votes = new(StringComparer.Ordinal);
        for (int index = 0; index < drafts.Count; index++)
        {
            if (extractor.Extract(drafts[index].Text) is { } answer)
            {
                votes[answer] = (votes.GetValueOrDefault(answer).Votes + 1, index);
            }
        }

        return votes.Count == 0 ? drafts.Count - 1 : votes.Values.Max().Latest;
    }
}
