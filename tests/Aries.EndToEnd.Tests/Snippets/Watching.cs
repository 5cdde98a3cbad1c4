using System.Diagnostics.Metrics;

namespace Aries.EndToEnd.Tests.Snippets;

/// <summary>The code of docs/guides/telemetry.md.</summary>
internal static class Watching
{
    public static MeterListener CountTokens(Action<long, string> onTokens)
    {
        #region meter
        MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == AriesTelemetry.SourceName && instrument.Name == "aries.tokens")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) => onTokens(count, (string)tags[0].Value!)); // prompt, response or cached
        listener.Start();
        #endregion
        return listener;
    }

    #region observer
    /// <summary>Writes a line a round, and stops the run when refinement spoils more answers than it mends.</summary>
    public sealed class SpoilGuard(TextWriter output) : IAriesLoopObserver
    {
        public void OnRoundCompleted(RoundReport report)
        {
            if (report.Evaluation?.Turns is not [TurnReport direct, .., TurnReport refined])
            {
                return;
            }

            output.WriteLine($"round {report.Round}: direct {direct.MeanScore:F3}, refined {refined.MeanScore:F3}");
            if (refined.RightToWrongCount > refined.WrongToRightCount)
            {
                throw new InvalidOperationException($"In round {report.Round} refinement spoils more than it mends.");
            }
        }
    }
    #endregion
}
