namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/run-folder.md.</summary>
internal static class RunFiles
{
    public static async Task<int> CountSpoiledAsync(string runFolder)
    {
        int spoiled = 0;
        #region read-traces
        await foreach (RefinementTrace trace in TraceJsonl.ReadAsync(Path.Combine(runFolder, "round-01", "traces.jsonl")))
        {
            TraceStep[] drafts = [.. trace.Drafts];
            if (drafts is [{ Score: { IsValid: true } first }, .., { Score: { IsValid: true } last }] && last.Value < first.Value)
            {
                spoiled++; // the chain ended worse than it began
            }
        }
        #endregion
        return spoiled;
    }
}
