using System.Text;

namespace Aries;

/// <summary>Keeps <c>report.html</c> up with the committed rounds.</summary>
internal sealed class ReportObserver(RunFolder folder) : IAriesLoopObserver
{
    private readonly List<RoundReport> _rounds = [];
    private bool _isStale;

    public void OnRoundRestored(RoundReport report)
    {
        _rounds.Add(report);
        _isStale = true;
    }

    // A process may have been stopped between the commit of a round and its report.
    public void OnStageStarted(int round, LoopStage stage, int itemCount, int doneCount) => WriteIfStale();

    public void OnRoundCompleted(RoundReport report)
    {
        _rounds.Add(report);
        _isStale = true;
        WriteIfStale();
    }

    public void OnRunCompleted(AriesRunResult result) => WriteIfStale();

    private void WriteIfStale()
    {
        if (_isStale)
        {
            folder.Files.Replace(folder.ReportPath, Encoding.UTF8.GetBytes(ReportHtml.Render(_rounds)));
            _isStale = false;
        }
    }
}
